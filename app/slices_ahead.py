"""The neighbours of a slice that is looked at are read beside the window, so that scrolling does not wait."""

from __future__ import annotations

import logging

from app.background_task import Task, TaskRunner
from domain.slice_stack import SliceStack

_log = logging.getLogger(__name__)
_REACH = 25
"""So many slices to each side."""


class SlicesAhead:
    """Reads around one slice at a time; what was begun around another is given up."""

    def __init__(self, tasks: TaskRunner) -> None:
        self._tasks = tasks
        self._task: Task | None = None

    def read_around(self, pixels: object, home_slice: int | None) -> None:
        """Begin, where the pixels are a stack whose slices lie in files of their own; else there is nothing to do."""
        self.stop()
        if isinstance(pixels, SliceStack) and home_slice is not None:
            self._task = self._tasks.start(
                "",
                lambda report, cancel: pixels.load(home_slice, reach=_REACH, on_progress=report, cancel=cancel),
                on_failed=lambda error: _log.warning("a neighbouring slice cannot be read: %s", error),
            )

    def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
