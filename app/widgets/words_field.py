"""A field for a sentence or two: its lines wrap, so that all of it can be read."""

from __future__ import annotations

from PySide6.QtWidgets import QPlainTextEdit, QWidget

_LINES = 3


class WordsField(QPlainTextEdit):
    """Text without line breaks; Tab goes on to the next field."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTabChangesFocus(True)
        self.ensurePolished()
        self.setFixedHeight(_LINES * self.fontMetrics().lineSpacing() + 24)

    def text(self) -> str:
        """What is written, in one line."""
        return " ".join(self.toPlainText().split())

    def say(self, text: str) -> None:
        """Write this instead."""
        self.setPlainText(text)
