"""The `sightline` command: the application when it is called plainly, else one of the workflows' commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from workflows import command_line


def build() -> typer.Typer:
    """All commands of the workflows, and those that need the application's windows."""
    cli = command_line.build(when_no_command=_open_plainly)

    @cli.command(name="open")
    def open_study(
        study: Annotated[Path, typer.Argument(help="Study folder.")],
        full_screen: Annotated[bool, typer.Option("--full-screen", help="Fill the screen.")] = False,
    ) -> None:
        """Open the application with a study."""
        from app.entry import run

        raise typer.Exit(run([str(study), *(["--full-screen"] if full_screen else [])]))

    return cli


def _open_plainly() -> None:
    from app.entry import run

    raise typer.Exit(run([]))


def main(arguments: Sequence[str] | None = None) -> None:
    """What `sightline` and `python -m app` do."""
    sys.exit(command_line.run(build(), arguments))
