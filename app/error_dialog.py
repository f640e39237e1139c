"""The one place that shows errors: what happened and what to do; the unexpected is logged with its trace."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.texts import tr
from app.theme import COLOURS, icon_pixmap
from domain.errors import UserFacingError
from workflows.diagnostics import write_diagnostics

_log = logging.getLogger(__name__)


class ErrorDialog(QDialog):
    """A short sentence, a hint, one button; with something unexpected, a second one that packs a report."""

    _report_written = Signal(str)

    def __init__(self, error: BaseException, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Sightline"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if isinstance(error, UserFacingError):
            message, hint = error.message, error.hint
        else:
            message = tr("Something unexpected happened.")
            hint = tr("Your work is saved. The details are in the log: {name}: {text}").format(
                name=type(error).__name__, text=str(error)
            )
        sign = QLabel()
        sign.setPixmap(icon_pixmap("warn", COLOURS.warn, 32))
        words = QVBoxLayout()
        for text, role in ((message, "heading"), (hint, "muted")):
            label = QLabel(text)
            label.setProperty("role", role)
            label.setWordWrap(True)
            label.setMinimumWidth(380)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setVisible(bool(text))
            words.addWidget(label)
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        buttons = QDialogButtonBox()
        close = buttons.addButton(tr("Close"), QDialogButtonBox.ButtonRole.AcceptRole)
        close.setProperty("role", "primary")
        buttons.accepted.connect(self.accept)
        self.report_button: QPushButton | None = None
        self._report_place = QLabel()
        self._report_place.setWordWrap(True)
        self._report_place.setVisible(False)
        self._report_place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.addWidget(self._report_place)
        if not isinstance(error, UserFacingError):
            self.report_button = buttons.addButton(tr("Save a report"), QDialogButtonBox.ButtonRole.ActionRole)
            self.report_button.setToolTip(tr("A zip for a bug report: no images, names or folders. Nothing is sent."))
            self.report_button.clicked.connect(self._on_report_asked)
            self._report_written.connect(self._on_report_written)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 22, 24, 18)
        layout.setSpacing(18)
        layout.addLayout(row)
        layout.addWidget(buttons)

    def _on_report_asked(self) -> None:
        if self.report_button is not None:
            self.report_button.setEnabled(False)
        self._on_report_written(tr("Writing the report ..."))
        # A thread of its own: looking at the machine takes seconds, and the task runner may be what failed.
        threading.Thread(target=self._write_report, name="diagnostics", daemon=True).start()

    def _write_report(self) -> None:
        try:
            text = tr("Report: {path}").format(path=write_diagnostics())
        except (UserFacingError, OSError) as error:
            text = str(error)
        with contextlib.suppress(RuntimeError):  # the dialog was closed meanwhile
            self._report_written.emit(text)

    def _on_report_written(self, text: str) -> None:
        self._report_place.setText(text)
        self._report_place.setVisible(True)


class ErrorHook(QObject):
    """Takes errors from anywhere, any thread, and shows them one at a time over the right window."""

    _arrived = Signal(object)

    def __init__(self, parent_window: Callable[[], QWidget | None]) -> None:
        super().__init__()
        self._parent_window = parent_window
        self._open: ErrorDialog | None = None
        self._arrived.connect(self._on_error, Qt.ConnectionType.QueuedConnection)

    def show(self, error: BaseException) -> None:
        """Show an error soon; safe to call from any thread."""
        self._arrived.emit(error)

    def install(self) -> None:
        """Take what nobody caught, in this and in other threads."""
        sys.excepthook = self._on_uncaught
        threading.excepthook = self._on_uncaught_in_thread

    def uninstall(self) -> None:
        """Give the hooks back to Python."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__

    def _on_uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        if not isinstance(error, UserFacingError):
            _log.critical("unexpected error", exc_info=(kind, error, trace))
        self.show(error)

    def _on_uncaught_in_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self._on_uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    def _on_error(self, error: BaseException) -> None:
        if self._open is not None:
            return  # the first error is the telling one; those that follow it are in the log
        dialog = ErrorDialog(error, self._parent_window())
        self._open = dialog
        dialog.finished.connect(self._on_closed)
        dialog.open()

    def _on_closed(self, _result: int) -> None:
        self._open = None
