"""`sightline labels` and `sightline labels compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

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
    cli.add_typer(group, name="labels", help="Make the labels of a study from its fixations, or compare their sources.")


def _make(
    study: Annotated[Path, typer.Argument(help="Folder of the study.")],
    source: Annotated[str, typer.Option(help="none, crf, grabcut or random_walker; becomes the study's setting.")] = "",
    sigma: Annotated[float | None, typer.Option(help="Sigma of the heatmap; becomes the study's setting.")] = None,
    threshold: Annotated[
        list[float] | None, typer.Option(help="One per level, repeated; they become the study's setting.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what is up to date.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core unless given.")] = None,
    scheduler: Annotated[str, typer.Option(help="A Dask scheduler, tcp://host:8786; its workers see the folder.")] = "",
) -> None:
    """Make heatmaps and refined maps of all trials (the word `make` may be left out). Can be stopped and goes on."""
    from storage.study import Study
    from workflows.make_labels import make_labels, with_changes
    from workflows.progress_bar import progress_bar

    with Study.open(study) as opened:
        wanted = with_changes(opened.settings.labels, source=source or None, sigma=sigma, thresholds=threshold or ())
        if wanted != opened.settings.labels:
            opened.update_settings(replace(opened.settings, labels=wanted))
        with progress_bar("Labels") as show:
            report = make_labels(opened, again=again, workers=workers, scheduler=scheduler, on_progress=show)
    print(
        f"{report.n_made} made ({report.per_second:.1f} per second), {report.n_current} up to date, "
        f"{report.n_with_warnings} with warnings, {len(report.failures)} failed."
    )
    for trial_id, problem in report.failures[:20]:
        print(f"  {trial_id}: {problem}")
    if report.failures:
        raise typer.Exit(2)
