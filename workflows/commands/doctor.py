"""`sightline doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

SIGNS = {"good": "ok     ", "warning": "warning", "missing": "MISSING"}


def register(cli: typer.Typer) -> None:
    """Add the command."""

    @cli.command()
    def doctor(
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    ) -> None:
        """Print what was found on this machine, for a bug report. Exit code 1 when something needed is missing."""
        from workflows.doctor import examine

        findings = examine()
        if as_json:
            print(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                print(f"{SIGNS[finding.state]}  {finding.topic:<10} {finding.text}")
                if finding.hint:
                    print(f"{'':>9}{'':<10} {finding.hint}")
        if any(finding.state == "missing" for finding in findings):
            raise typer.Exit(1)
