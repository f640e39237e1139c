"""What the full-screen stage shows where no image is: a card with words, or the dot to look at first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.theme import COLOURS
from app.widgets.plain import button, card, label

WIDTH_PX, MARGIN_PX, SPACING_PX = 700, 36, 16
CHOICE_PX, CHOICE_SPACING_PX = 36, 4
# As shares of width and height.
_CORNERS = ((0.05, 0.1), (0.95, 0.1), (0.05, 0.9), (0.95, 0.9))


class CardPage(QWidget):
    """A card in the middle of a black screen: heading, sentences, and what the keys do. chosen: a line was clicked."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        frame, column = card(margin=MARGIN_PX, spacing=SPACING_PX)
        frame.setFixedWidth(WIDTH_PX)
        self._frame = frame
        self._heading = label("", "title", wraps=True)
        self._words = label("", "lead", wraps=True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._keys = label("", "muted", wraps=True)
        self._choices: list[QPushButton] = []
        self._lines = QVBoxLayout()
        self._lines.setSpacing(CHOICE_SPACING_PX)
        column.addWidget(self._heading)
        column.addWidget(self._words)
        column.addLayout(self._lines)
        column.addWidget(self._keys)
        whole = QVBoxLayout(self)
        whole.addStretch(1)
        whole.addWidget(frame, 0, Qt.AlignmentFlag.AlignHCenter)
        whole.addStretch(1)

    def say(self, heading: str, words: str, keys: str, choices: Sequence[tuple[int, str]] = ()) -> None:
        """Put these words on the card. choices: lines for the mouse, each with the number that `chosen` says."""
        self._heading.setText(heading)
        self._words.setText(words)
        self._keys.setText(keys)
        # A card that was laid out for one line does not grow by itself when it gets three.
        height_px = 2 * MARGIN_PX + 2  # and the card's line
        for made in (self._heading, self._words, self._keys):
            made.setVisible(bool(made.text()))
            if made.text():
                made.setMinimumHeight(0)  # a label's height for a width is never less than its own minimum
                made.setFixedHeight(made.heightForWidth(WIDTH_PX - 2 * MARGIN_PX - 2))
                height_px += made.height() + SPACING_PX
        for old in self._choices:
            self._lines.removeWidget(old)
            old.deleteLater()
        self._choices = [self._choice(number, text) for number, text in choices]
        height_px += len(choices) * (CHOICE_PX + CHOICE_SPACING_PX) - CHOICE_SPACING_PX + SPACING_PX if choices else 0
        self._frame.setFixedHeight(height_px - SPACING_PX)

    def _choice(self, number: int, text: str) -> QPushButton:
        made = button(text, lambda: self.chosen.emit(number), role="quiet")
        made.setFixedHeight(CHOICE_PX)
        made.setStyleSheet("text-align: left;")
        made.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys are the stage's
        self._lines.addWidget(made)
        return made

    @property
    def text(self) -> str:
        """All that stands on the card."""
        choices = [made.text() for made in self._choices]
        return "\n".join((self._heading.text(), self._words.text(), *choices, self._keys.text()))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0))
        painter.end()


class StartTargetPage(QWidget):
    """A small dot away from the centre, so that the first look at an image is not drawn to its middle.

    Source: Rothkegel et al. 2016 (arXiv 1610.05982) on the central fixation bias.
    """

    def __init__(self) -> None:
        super().__init__()
        self._place = (0.06, 0.1)
        self._words = ""

    def say(self, words: str) -> None:
        """A quiet word beside the dot, where it is looked at longer than it should be."""
        self._words = words
        self.update()

    def move_for(self, image_id: str) -> None:
        """Into the corner of this image, the same on every run."""
        self._words = ""
        number = sum(ord(letter) * (place + 1) for place, letter in enumerate(image_id))
        self._place = _CORNERS[number % len(_CORNERS)]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centre = QPointF(self._place[0] * self.width(), self._place[1] * self.height())
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, radius in ((COLOURS.muted, 11.0), ("#000000", 3.5)):
            painter.setBrush(QColor(colour))
            painter.drawEllipse(centre, radius, radius)
        if self._words:
            painter.setPen(QColor(COLOURS.muted))
            is_left = self._place[0] < 0.5
            width = self.width() * 0.4
            left = centre.x() + 28 if is_left else centre.x() - 28 - width
            side = Qt.AlignmentFlag.AlignLeft if is_left else Qt.AlignmentFlag.AlignRight
            where = QRectF(left, centre.y() - 20, width, 40)
            painter.drawText(where, int(side | Qt.AlignmentFlag.AlignVCenter), self._words)
        painter.end()
