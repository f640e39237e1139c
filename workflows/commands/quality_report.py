"""`sightline quality-report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command("quality-report")
    def quality_report(
        session: Annotated[Path, typer.Argument(help="A recorded session (.h5).", metavar="SESSION")],
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: beside the session.")] = None,
        methods: Annotated[bool, typer.Option("--methods", help="Also print the paragraph for a paper.")] = False,
    ) -> None:
        """Write the data-quality report of a session: one HTML page with plots, and a paragraph for the methods."""
        from calibration.report import methods_paragraph
        from workflows.quality_report import write_quality_report

        target = output or session.with_suffix(".quality.html")
        quality = write_quality_report(session, target)
        if methods:
            print(methods_paragraph(quality))
        print(f"{target}")
