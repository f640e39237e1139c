"""The bridge from threads to the GUI: work runs beside the window, reports progress and can be stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from domain.errors import Cancelled
from domain.events import CancelToken, OnProgress, Progress

_log = logging.getLogger(__name__)
_REPORT_EVERY_S = 0.05

# What a task returns is known to its caller only; the queue between threads carries any object.
Work = Callable[[OnProgress, CancelToken], Any]


class Task(QObject):
    """One piece of work under way. Signals arrive in the GUI thread."""

    progressed = Signal(object)
    done = Signal(object)
    failed = Signal(object)
    ended = Signal()
    _outcome = Signal(object, object)

    def __init__(self, text: str, work: Work, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.text = text
        self.cancel_token = CancelToken()
        self.is_over = False
        self._work = work
        self._last_report_s = 0.0
        self._outcome.connect(self._on_outcome, Qt.ConnectionType.QueuedConnection)

    def cancel(self) -> None:
        """Ask the work to stop; nothing of it will be delivered any more."""
        self.cancel_token.cancel()

    def run(self) -> None:
        """Do the work in the calling thread, which is never the GUI's."""
        result: object = None
        error: BaseException | None = None
        try:
            self.cancel_token.raise_if_cancelled()
            result = self._work(self._report, self.cancel_token)
        except Cancelled as stopped:
            error = stopped
        except Exception as failure:  # noqa: BLE001 - a thread's edge: the error goes to the GUI thread
            _log.exception("%s failed", self.text)
            error = failure
        self._outcome.emit(result, error)

    def _report(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if now_s - self._last_report_s >= _REPORT_EVERY_S or progress.done == progress.total:
            self._last_report_s = now_s
            self.progressed.emit(progress)

    def _on_outcome(self, result: object, error: BaseException | None) -> None:
        self.is_over = True
        if self.cancel_token.is_cancelled or isinstance(error, Cancelled):
            pass
        elif error is not None:
            self.failed.emit(error)
        else:
            self.done.emit(result)
        self.ended.emit()


class TaskRunner(QObject):
    """Runs tasks on a few threads; `close` stops all and waits."""

    started = Signal(object)
    failed = Signal(object)

    def __init__(self, n_threads: int = 3, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix="task")
        self._tasks: list[Task] = []
        self._is_closed = False

    def start(
        self,
        text: str,
        work: Work,
        *,
        on_done: Callable[[Any], object] | None = None,
        on_failed: Callable[[Any], object] | None = None,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Task:
        """Run `work(on_progress, cancel)` beside the window. Without `on_failed` an error goes to the error dialog."""
        task = Task(text, work)
        if self._is_closed:
            task.is_over = True
            return task
        if on_done is not None:
            task.done.connect(on_done)
        task.failed.connect(on_failed if on_failed is not None else self.failed.emit)
        if on_progress is not None:
            task.progressed.connect(on_progress)
        self._tasks.append(task)
        task.ended.connect(lambda: self._forget(task))
        self.started.emit(task)
        self._pool.submit(task.run)
        return task

    @property
    def active(self) -> list[Task]:
        """Tasks that have not ended."""
        return list(self._tasks)

    def close(self) -> None:
        """Stop everything and wait until the threads are gone."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._tasks.clear()

    def _forget(self, task: Task) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
