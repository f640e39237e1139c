"""`sightline audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workflows.progress_bar import progress_bar


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The record of all changes of a study.", no_args_is_help=True)
    cli.add_typer(group, name="audit")

    @group.command()
    def verify(study: Annotated[Path, typer.Argument(help="The study's folder.")]) -> None:
        """Check the chain of entries and the files they speak of. Exit code 1 when something was changed."""
        from storage.study import Study
        from workflows import audit

        with Study.open(study) as opened, progress_bar("Checking") as on_progress:
            report = audit.verify(opened, on_progress=on_progress)
        for problem in report.problems:
            print(problem)
        verdict = "something is wrong" if report.problems else "all as it was written"
        print(f"{report.n_entries} entries and {report.n_files} files checked: {verdict}")
        if report.problems:
            raise typer.Exit(1)

    @group.command()
    def show(
        study: Annotated[Path, typer.Argument(help="The study's folder.")],
        search: Annotated[str, typer.Option(help="Only entries that contain this.")] = "",
        last: Annotated[int, typer.Option(help="How many of the newest.")] = 50,
    ) -> None:
        """Print the newest entries."""
        from storage.study import Study

        with Study.open(study) as opened:
            entries = opened.audit_entries()
        lines = [f"{e.number:>6}  {e.at[:19]}  {e.actor:<14} {e.action:<18} {e.subject}  {e.details}" for e in entries]
        for line in [line for line in lines if search in line][-last:]:
            print(line)
