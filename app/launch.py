"""The `sightline` command: the application when it is called plainly, else one of the workflows' commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from workflows import command_line
from workflows.event_log import keep_events

DEMO = Path("demo")


def build() -> typer.Typer:
    """All commands of the workflows, and those that need the application's windows."""
    cli = command_line.build(when_no_command=_open_plainly)

    @cli.command(name="open")
    def open_study(
        study: Annotated[Path, typer.Argument(help="Study folder.")],
        full_screen: Annotated[bool, typer.Option("--full-screen", help="Fill the screen.")] = False,
    ) -> None:
        """Open the application with a study."""
        from app.entry import refuse_without_display, run
        from storage.study_settings_file import read_study_file

        read_study_file(study)  # what is no study is told here, and not in a window
        refuse_without_display()
        raise typer.Exit(run([str(study), *(["--full-screen"] if full_screen else [])]))

    @cli.command()
    def demo(
        into: Annotated[Path, typer.Option("--into", "-i", help="Folder for the demo; replaced each time.")] = DEMO,
        kvasir_seg: Annotated[
            Path | None, typer.Option(help="Look at real images instead: a folder in Kvasir-SEG's layout.")
        ] = None,
        images: Annotated[int, typer.Option(min=0, help="How many images (0 = all 24, or 60 real ones).")] = 0,
        steps: Annotated[int, typer.Option(min=0, help="Training steps; 0 = as many as the preset has.")] = 0,
    ) -> None:
        """Run the whole way once, off-screen, with SIMULATED gaze: look, label, export, train, predict, report."""
        from app.demo import run_off_screen

        run_off_screen(into, source=kvasir_seg, n_images=images, steps=steps)

    return cli


def _open_plainly() -> None:
    from app.entry import run

    raise typer.Exit(run([]))


def main(arguments: Sequence[str] | None = None) -> None:
    """What `sightline` and `python -m app` do."""
    keep_events()
    sys.exit(command_line.run(build(), arguments))
