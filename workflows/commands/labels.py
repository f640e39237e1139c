"""`sightline labels` and `sightline labels compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from workflows.sign_in import AsPerson, open_as

DEFAULT = "make"


class _WithDefault(TyperGroup):
    """Commands of which one need not be named: `sightline labels STUDY` is `sightline labels make STUDY`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's context
        """Insert the default command where the first argument is not a command."""
        asks_for_help = bool(args) and args[0] in ctx.help_option_names
        if args and args[0] not in self.commands and not asks_for_help:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(cls=_WithDefault, no_args_is_help=True, rich_markup_mode=None)
    group.command(DEFAULT)(_make)
    group.command("compare")(_compare)
    cli.add_typer(group, name="labels", help="Make the labels of a study from its fixations, or compare their sources.")


def _make(
    study: Annotated[Path, typer.Argument(help="Folder of the study.")],
    source: Annotated[str, typer.Option(help="none, crf, grabcut or random_walker; becomes the study's setting.")] = "",
    mode: Annotated[str, typer.Option(help="published or degrees; becomes the study's setting.")] = "",
    sigma: Annotated[float | None, typer.Option(help="Sigma of the heatmap; becomes the study's setting.")] = None,
    threshold: Annotated[
        list[float] | None, typer.Option(help="One per level, repeated; they become the study's setting.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what is up to date.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core unless given.")] = None,
    scheduler: Annotated[str, typer.Option(help="A Dask scheduler, tcp://host:8786; its workers see the folder.")] = "",
    as_: AsPerson = "",
) -> None:
    """Make heatmaps and refined maps of all trials (the word `make` may be left out). Can be stopped and goes on."""
    from domain.errors import UserFacingError
    from workflows.make_labels import make_labels, with_changes
    from workflows.progress_bar import progress_bar

    with open_as(study, as_) as opened:
        opened.require("settings")
        present = opened.settings.labels
        wanted = with_changes(
            present, source=source or None, mode=mode or None, sigma=sigma, thresholds=threshold or ()
        )
        if wanted != opened.settings.labels:
            opened.update_settings(replace(opened.settings, labels=wanted))
        with progress_bar("Labels") as show:
            report = make_labels(opened, again=again, workers=workers, scheduler=scheduler, on_progress=show)
    if not report.n_made and not report.n_current and not report.failures:
        raise UserFacingError(
            "This study has no gaze to make labels from: no image was looked at yet.",
            "Annotate in the application, or bring gaze with `sightline import` (--formats lists what is read).",
        )
    print(
        f"{report.n_made} made ({report.per_second:.1f} per second), {report.n_current} up to date, "
        f"{report.n_with_warnings} with warnings, {len(report.failures)} failed."
    )
    for trial_id, problem in report.failures[:20]:
        print(f"  {trial_id}: {problem}")
    if report.failures:
        raise typer.Exit(2)


def _compare(
    study: Annotated[Path, typer.Argument(help="Folder of the study.")],
    target: Annotated[str, typer.Option(help="Which target; the first unless given.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="Only these, repeated; all unless given.")] = None,
    sigma: Annotated[list[float] | None, typer.Option(help="Only these, repeated.")] = None,
    images: Annotated[int, typer.Option(min=5, help="A random choice of so many images.")] = 60,
    adopt: Annotated[bool, typer.Option("--adopt", help="Make what is recommended the study's setting.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core unless given.")] = None,
    scheduler: Annotated[str, typer.Option(help="A Dask scheduler, tcp://host:8786.")] = "",
    as_: AsPerson = "",
) -> None:
    """Compare label sources by Dice on the study's masks, and recommend source, sigma and thresholds."""
    from workflows.compare_label_sources import compare_label_sources
    from workflows.progress_bar import progress_bar

    with open_as(study, as_) as opened:
        with progress_bar("Comparing") as show:
            found = compare_label_sources(
                opened,
                target=target,
                sources=source or (),
                sigmas=sigma or (),
                n_images=images,
                workers=workers,
                scheduler=scheduler,
                on_progress=show,
            )
        kind = "SIMULATED gaze" if found.is_simulated else "gaze"
        print(f"{found.n_images} images with {kind}, {found.n_reviewed} with a reviewed mask, the rest as delivered.")
        print(f"{'source':<14} {'sigma':>6} {'threshold':>9} {'Dice':>6}")
        for score in found.scores:
            threshold, value = score.best
            print(f"{score.source:<14} {score.sigma:>6g} {threshold:>9.2f} {value:>6.3f}")
        now = ", ".join(
            f"{value:.3f} at {threshold:g}"
            for value, threshold in zip(found.current_dice, opened.settings.labels.thresholds, strict=True)
        )
        wanted = found.recommended
        print(f"Present settings ({opened.settings.labels.source}, sigma {opened.settings.labels.sigma:g}): {now}")
        print(
            f"Recommended: source {wanted.source}, sigma {wanted.sigma:g}, thresholds "
            f"{' and '.join(f'{t:g}' for t in wanted.thresholds)}; expected Dice on other images "
            f"{found.expected_dice:.3f} ({found.interval[0]:.3f} to {found.interval[1]:.3f})"
        )
        if adopt:
            opened.update_settings(replace(opened.settings, labels=wanted))
            print("These are now the study's settings. Run `sightline labels` to make the labels again.")
