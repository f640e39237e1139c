"""The files of an import that cannot be read, and the way to go on without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QListWidget, QVBoxLayout, QWidget

from app.texts import counted, tr
from app.widgets.plain import button, label, row, set_state


class BrokenFiles(QWidget):
    """Hidden until an import meets such files."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._words = label("", "small", wraps=True)
        set_state(self._words, "warn")
        column.addWidget(self._words)
        self.files = QListWidget()
        self.files.setAccessibleName(tr("Files that cannot be read"))
        self.files.setMaximumHeight(130)
        self.files.setWordWrap(True)
        self.files.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column.addWidget(self.files)
        self.leave_out = button(tr("Leave these out and go on"), self._on_leave_out, icon_name="check")
        column.addLayout(row(self.leave_out, button(tr("Import nothing"), self.hide), None))
        self._go_on: Callable[[], object] = self.hide
        self.hide()

    def offer(self, problems: Sequence[str], go_on: Callable[[], object]) -> None:
        """List what is wrong with each file; `go_on` imports without them."""
        self._words.setText(
            counted(
                len(problems),
                tr("Nothing was imported: 1 file cannot be read."),
                tr("Nothing was imported: {n} files cannot be read."),
            )
        )
        self.files.clear()
        self.files.addItems(list(problems))
        self._go_on = go_on
        self.show()

    def _on_leave_out(self) -> None:
        self.hide()
        self._go_on()
