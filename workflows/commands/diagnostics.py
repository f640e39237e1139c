"""`sightline diagnostics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command()
    def diagnostics(
        out: Annotated[
            Path | None, typer.Option("--out", "-o", help="New .zip file; default: in the user's data folder.")
        ] = None,
    ) -> None:
        """Write a zip for a bug report, without personal data. Nothing is sent anywhere."""
        from workflows.diagnostics import write_diagnostics

        print(f"Written: {write_diagnostics(out)}")
        print("Look through it before you hand it on; ABOUT.txt in it says what is in there.")
