"""Progress of long work on the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from domain.events import OnProgress, Progress


@contextmanager
def progress_bar(title: str) -> Iterator[OnProgress]:
    """A bar with count and remaining time on a terminal; one line every two seconds elsewhere (logs, CI)."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(progress: Progress) -> None:
            text = f"{title}  {progress.text}" if progress.text else title
            bar.update(task, completed=progress.done, total=progress.total or None, description=text[:60])

        yield show


def _lines(title: str) -> OnProgress:
    last_s = 0.0

    def show(progress: Progress) -> None:
        nonlocal last_s
        is_last = progress.total > 0 and progress.done >= progress.total
        if is_last or time.monotonic() - last_s >= 2.0:
            last_s = time.monotonic()
            total = f"/{progress.total}" if progress.total else ""
            print(f"{title}: {progress.done}{total}  {progress.text}".rstrip(), file=sys.stderr, flush=True)

    return show
