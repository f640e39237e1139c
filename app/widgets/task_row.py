"""Start, cancel, open what came of it; a bar and a word about how far it is. For pages that run one thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from app.background_task import Task, Work
from app.context import Services
from app.texts import tr
from app.widgets.plain import button, label, row
from domain.errors import UserFacingError
from domain.events import Progress


class TaskRow(QWidget):
    """Runs work beside the window; another run stops the one before. ended: the newest is over, however it ended."""

    ended = Signal()

    def __init__(
        self, services: Services, text: str, on_go: Callable[[], object], *, icon_name: str, stopped: str
    ) -> None:
        super().__init__()
        self._services = services
        self._stopped = stopped
        self._task: Task | None = None
        self._folder: Path | None = None
        self._progress_words = ""
        self.go = button(text, on_go, role="primary", icon_name=icon_name)
        self.cancel = button(tr("Cancel"), self.stop, icon_name="close")
        self.cancel.setEnabled(False)
        self.open = button(tr("Open the folder"), self._open_folder, icon_name="folder")
        self._bar = QProgressBar()
        self._bar.setRange(0, 1)
        self._words = label("", "muted", wraps=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(row(self.go, self.cancel, self.open, None))
        column.addWidget(self._bar)
        column.addWidget(self._words)

    def run(
        self,
        title: str,
        work: Work,
        *,
        on_done: Callable[..., object],
        words: str,
        can_cancel: bool = True,
        progress_words: str = "",
    ) -> None:
        """Begin. words: said at once; progress_words: with {n} and {total}, said while it goes on."""
        self.stop()
        self.go.setEnabled(False)
        self.cancel.setEnabled(can_cancel)
        self._progress_words = progress_words
        self.say(words)
        self._task = self._services.tasks.start(
            title, work, on_done=on_done, on_failed=self._on_failed, on_progress=self._on_progress
        )
        self._task.ended.connect(self._on_ended)

    def stop(self) -> None:
        """Stop what runs, if something does, and say what is kept of it."""
        if self.is_running and self._task is not None:
            self._task.cancel()
            self.say(self._stopped)

    def say(self, words: str) -> None:
        """A word below the bar."""
        self._words.setText(words)

    def offer(self, folder: Path | None) -> None:
        """Let the user open this folder."""
        self._folder = folder
        self.open.setEnabled(folder is not None)

    @property
    def words(self) -> str:
        """What is said below the bar."""
        return self._words.text()

    @property
    def is_running(self) -> bool:
        """Whether something runs."""
        return self._task is not None and not self._task.is_over

    @property
    def was_stopped(self) -> bool:
        """Whether somebody stopped the newest run."""
        return self._task is not None and self._task.cancel_token.is_cancelled

    def _on_progress(self, progress: Progress) -> None:
        self._bar.setRange(0, max(progress.total, 1))
        self._bar.setValue(progress.done)
        if self._progress_words and self.is_running:
            self.say(self._progress_words.format(n=progress.done, total=progress.total))

    def _on_failed(self, error: BaseException) -> None:
        if isinstance(error, UserFacingError):
            self.say(str(error))
        else:
            self._services.show_error(error)

    def _on_ended(self) -> None:
        if self.is_running:
            return  # one that was stopped for the one that runs
        self.cancel.setEnabled(False)
        self._bar.setRange(0, 1)
        self._bar.setValue(0)
        self.ended.emit()

    def _open_folder(self) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))
