"""`sightline import`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from workflows.progress_bar import progress_bar
from workflows.sign_in import AsPerson, open_as


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command("import")
    def import_(
        format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="See --formats for all of them.")] = "",
        source: Annotated[Path | None, typer.Argument(help="File, folder or archive (.zip).")] = None,
        into: Annotated[
            Path | None, typer.Option("--into", "-i", help="Study folder; made when it is not there.")
        ] = None,
        name: Annotated[str, typer.Option(help="Name of a new study.")] = "",
        target: Annotated[str, typer.Option(help="What is annotated, where the source does not say it.")] = "",
        annotator: Annotated[str, typer.Option(help="Who looked, where the source does not say it.")] = "",
        preset: Annotated[str, typer.Option(help="Label settings of a new study: polyp, prostate or own.")] = "",
        leave: Annotated[bool, typer.Option("--leave", help="Leave pictures where they are; copy DICOM only.")] = False,
        skip_broken: Annotated[
            bool, typer.Option("--skip-broken", help="Leave out files that cannot be read.")
        ] = False,
        single_slices: Annotated[
            bool, typer.Option("--single-slices", help="Files of a DICOM series stay single images, without a stack.")
        ] = False,
        setting: Annotated[
            list[str] | None, typer.Option(help="KEY=VALUE for one format, e.g. screen=1920x1080.")
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
        formats: Annotated[bool, typer.Option("--formats", help="List the formats and leave.")] = False,
        as_: AsPerson = "",
    ) -> None:
        """Take images, masks, fixations or gaze recordings of others into a study."""
        from domain.errors import UserFacingError
        from processing.importer import ImportOptions, importers
        from workflows.import_images import import_to_folder, preset_named

        if formats:
            for known in importers:
                print(f"{known:<16} {importers.get(known).title}")
            return
        if not format_name or source is None:
            raise UserFacingError("A format and a source are needed.", "Example: sightline import folder my-images")
        importers.get(format_name)
        if preset:
            preset_named(preset)
        bad = [text for text in setting or [] if "=" not in text]
        if bad:
            raise UserFacingError(f"{bad[0]!r} is not KEY=VALUE.", "Example: --setting screen=1920x1080")
        more = dict(text.split("=", 1) for text in setting or [])
        options = ImportOptions(
            annotator=annotator, target=target, skip_broken=skip_broken, single_slices=single_slices, more=more
        )
        place = into or Path(f"{source.absolute().stem}-study")
        with ExitStack() as opened:
            # Whoever has to give a password is asked before the bars are on the screen.
            study = opened.enter_context(open_as(place, as_)) if (place / "study.json").exists() else None
            on_read = opened.enter_context(progress_bar("Reading"))
            on_write = opened.enter_context(progress_bar("Importing"))
            report = import_to_folder(
                format_name,
                source,
                place,
                study=study,
                options=options,
                name=name,
                preset=preset,
                copy=not leave,
                dry_run=dry_run,
                on_read=on_read,
                on_write=on_write,
            )
        for line in report.lines(dry_run=dry_run):
            print(line)
