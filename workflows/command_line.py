"""The `sightline` command line: one command per workflow, assembled from workflows/commands/."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.console import Console

import workflows.commands
from domain.errors import Cancelled, UserFacingError
from domain.version import VERSION
from workflows.event_log import keep_events

EXIT_UNEXPECTED = 1
EXIT_USER = 2
EXIT_CANCELLED = 130

log = logging.getLogger(__name__)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"Sightline {VERSION}")
        raise typer.Exit


def build(when_no_command: Callable[[], None] | None = None) -> typer.Typer:
    """All commands as one typer application; `when_no_command` is what plain `sightline` does."""
    cli = typer.Typer(
        name="sightline",
        help="Annotate medical images by looking at them: from gaze to a trained model.",
        no_args_is_help=when_no_command is None,
        invoke_without_command=when_no_command is not None,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @cli.callback()
    def start(
        context: typer.Context,
        version: Annotated[
            bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
        ] = False,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens, in detail.")] = False,
    ) -> None:
        logging.basicConfig(
            level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
        )
        if context.invoked_subcommand is None and when_no_command is not None:
            when_no_command()

    for module in sorted(pkgutil.iter_modules(workflows.commands.__path__), key=lambda found: found.name):
        importlib.import_module(f"workflows.commands.{module.name}").register(cli)
    return cli


def run(cli: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code: 0 done, 1 unexpected, 2 wrong input, 130 cancelled."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        cli(args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=True)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except UserFacingError as error:
        errors.print(f"Error: {error.message}", style="red", markup=False)
        if error.hint:
            errors.print(error.hint, markup=False)
        return EXIT_USER
    except (Cancelled, KeyboardInterrupt):
        errors.print("Stopped. Nothing half-written is left.")
        return EXIT_CANCELLED
    except Exception:
        log.exception("unexpected error")
        errors.print("Something unexpected happened; see the trace above. `sightline diagnostics` packs a report.")
        return EXIT_UNEXPECTED
    return 0


def main() -> None:
    """The command line without the application (`python -m workflows`)."""
    keep_events()
    sys.exit(run(build()))
