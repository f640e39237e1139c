"""How long work reports what it does and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """One step of a long piece of work: `done` of `total` (0 = not known yet), and what is being done."""

    done: int
    total: int
    text: str = ""

    @property
    def fraction(self) -> float:
        """Share done, 0-1; 0 while the total is not known."""
        return self.done / self.total if self.total else 0.0


OnProgress = Callable[[Progress], None]


def no_progress(_progress: Progress) -> None:
    """Listen to nothing."""


def share_of(on_progress: OnProgress, begin: float, end: float) -> OnProgress:
    """Where a piece of work reports that is the part from `begin` to `end` (0-1) of a longer one; in hundredths."""

    def tell(progress: Progress) -> None:
        on_progress(Progress(round(100 * (begin + (end - begin) * progress.fraction)), 100, progress.text))

    return tell


class CancelToken:
    """A flag that any thread may raise and long work looks at between steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked to stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Leave the work here if somebody asked to stop.

        Raises:
            Cancelled: the flag is raised.
        """
        if self.is_cancelled:
            raise Cancelled
