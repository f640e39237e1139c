"""`sightline export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from workflows.progress_bar import progress_bar
from workflows.sign_in import AsPerson, open_as

Masks = Literal["auto", "accepted", "reference", "newest", "gaze"]


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command()
    def export(
        format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="See --formats for all of them.")] = "",
        study: Annotated[Path | None, typer.Argument(help="The study's folder.")] = None,
        out: Annotated[
            Path | None, typer.Option("--out", "-o", help="New folder; default: exports/ in the study.")
        ] = None,
        target: Annotated[str, typer.Option(help="Which target, where the format holds one.")] = "",
        annotator: Annotated[list[str] | None, typer.Option(help="Whose reads; may be repeated. Default: all.")] = None,
        masks: Annotated[Masks, typer.Option(help="Where masks come from.")] = "auto",
        test_share: Annotated[
            float, typer.Option(min=0.0, max=0.9, help="Share of undivided cases for testing.")
        ] = 0.1,
        seed: Annotated[int, typer.Option(help="Seed of that division.")] = 1,
        only_with_gaze: Annotated[bool, typer.Option("--only-with-gaze", help="Leave out images nobody read.")] = False,
        setting: Annotated[list[str] | None, typer.Option(help="KEY=VALUE for one format; see --formats.")] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="List findings and files, write nothing.")] = False,
        formats: Annotated[bool, typer.Option("--formats", help="List the formats and leave.")] = False,
        as_: AsPerson = "",
    ) -> None:
        """Write a study in a format of other programs, with a manifest of hashes and parameters."""
        from domain.errors import UserFacingError
        from processing.exporter import ExportOptions, exporters
        from workflows import export_dataset

        if formats:
            for known in exporters:
                print(f"{known:<14} {exporters.get(known).title}")
                for key, meaning in exporters.get(known).settings.items():
                    print(f"{'':<14}   --setting {key}=...  {meaning}")
            return
        if not format_name or study is None:
            raise UserFacingError("A format and a study are needed.", "Example: sightline export gazemedseg my-study")
        exporters.get(format_name)  # a wrong word is told before the study is asked for
        bad = [text for text in setting or [] if "=" not in text]
        if bad:
            raise UserFacingError(f"{bad[0]!r} is not KEY=VALUE.", "Example: --setting flavour=prostate")
        options = ExportOptions(
            target=target,
            annotators=tuple(annotator or ()),
            masks=masks,
            test_share=test_share,
            seed=seed,
            only_with_gaze=only_with_gaze,
            more=dict(text.split("=", 1) for text in setting or []),
        )
        with open_as(study, as_) as opened, progress_bar("Exporting") as on_progress:
            folder = out or export_dataset.default_folder(opened, format_name)
            report = export_dataset.export(
                opened, format_name, folder, options, dry_run=dry_run, on_progress=on_progress
            )
        for finding in report.findings:
            print(f"{finding.level.capitalize()} ({finding.topic}): {finding.text}")
        if dry_run:
            print("\n".join(report.paths))
            print(f"{len(report.paths)} files of {report.n_images} images would be written to {report.folder}")
        else:
            print(f"{len(report.paths)} files of {report.n_images} images written to {report.folder}")
