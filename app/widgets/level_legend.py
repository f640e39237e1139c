"""What the outlines on a result mean: the mask that is stored, and wider levels of the same gaze."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.colour_maps import level_colour
from app.texts import tr
from app.widgets.plain import label

_LINE_PX, _HEIGHT_PX = 26, 20


class LevelLegend(QWidget):
    """A short line as it is drawn on the image, and a word; a line that is not there has no word."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = (_Line(level_colour(0), is_dashed=False), _Line(level_colour(1), is_dashed=True))
        self._words = (label(tr("stored"), "muted"), label(tr("wider level"), "muted"))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        for drawn, word in zip(self._lines, self._words, strict=True):
            line.addWidget(drawn)
            line.addWidget(word)

    @property
    def text(self) -> str:
        """The words that stand there."""
        return ", ".join(word.text() for word in self._words if not word.isHidden())

    def show_for(self, *, has_mask: bool, has_wider: bool) -> None:
        """What is drawn on the image."""
        for drawn, word, is_there in zip(self._lines, self._words, (has_mask, has_wider), strict=True):
            drawn.setVisible(is_there)
            word.setVisible(is_there)


class _Line(QWidget):
    def __init__(self, colour: str, *, is_dashed: bool) -> None:
        super().__init__()
        self._pen = QPen(QColor(colour), 2.0, Qt.PenStyle.DashLine if is_dashed else Qt.PenStyle.SolidLine)
        self.setFixedSize(_LINE_PX, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self._pen)
        painter.drawLine(0, self.height() // 2, self.width(), self.height() // 2)
        painter.end()
