"""Small pieces every screen is made of: titled pages, cards, labels, buttons, the empty state."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.texts import tr
from app.theme import COLOURS, icon, icon_pixmap

PAGE_MARGIN = 28
_LEAST_WORDS = 48
_SENTENCE_WIDTH = 420
GAP = 14


def label(text: str, role: str = "", *, wraps: bool = False) -> QLabel:
    """A text; `role` is title, heading, lead, muted, small, figure or big."""
    made = QLabel(text)
    if role:
        made.setProperty("role", role)
    made.setWordWrap(wraps)
    return made


def field_label(text: str) -> QLabel:
    """The words before a field of a form, level with what is written in the field."""
    made = label(text, "muted")
    made.setMinimumHeight(32)
    return made


def set_state(widget: QWidget, state: str) -> None:
    """Colour a widget by a state (good, warn, bad or none); the words must say it too."""
    if widget.property("state") != state:
        widget.setProperty("state", state)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def button(
    text: str,
    on_click: Callable[[], object] | None = None,
    *,
    role: str = "",
    icon_name: str = "",
    tooltip: str = "",
) -> QPushButton:
    """A push button; `role` is primary, quiet or none."""
    made = QPushButton(text)
    if role:
        made.setProperty("role", role)
    if icon_name:
        made.setIcon(icon(icon_name, COLOURS.on_accent if role == "primary" else COLOURS.text))
        made.setIconSize(QSize(18, 18))
    if tooltip:
        made.setToolTip(tooltip)
    if on_click is not None:
        made.clicked.connect(lambda _checked=False: on_click())
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    return made


def card(*, margin: int = 18, spacing: int = 10) -> tuple[QFrame, QVBoxLayout]:
    """A panel with a column in it."""
    frame = QFrame()
    frame.setProperty("role", "card")
    column = QVBoxLayout(frame)
    column.setContentsMargins(margin, margin, margin, margin)
    column.setSpacing(spacing)
    return frame, column


class Card(QFrame):
    """A panel with a heading and a column below it: one noun of a page."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(22, 22, 22, 22)
        self.column.setSpacing(10)
        self.column.addWidget(label(title, "heading"))


def row(*widgets: QWidget | None, spacing: int = 8) -> QHBoxLayout:
    """Widgets side by side; None is a spring."""
    made = QHBoxLayout()
    made.setSpacing(spacing)
    for widget in widgets:
        if widget is None:
            made.addStretch(1)
        else:
            made.addWidget(widget)
    return made


def page(widget: QWidget, title: str, subtitle: str = "") -> tuple[QVBoxLayout, QHBoxLayout]:
    """The column of a screen and the row beside its title, for its buttons."""
    column = QVBoxLayout(widget)
    column.setContentsMargins(PAGE_MARGIN, 22, PAGE_MARGIN, 20)
    column.setSpacing(GAP)
    head = QHBoxLayout()
    head.setSpacing(8)
    words = QVBoxLayout()
    words.setSpacing(2)
    words.addWidget(label(title, "title"))
    if subtitle:
        words.addWidget(label(subtitle, "muted", wraps=True))
    head.addLayout(words, 1)
    column.addLayout(head)
    return column, head


def line() -> QFrame:
    """A thin line across."""
    made = QFrame()
    made.setProperty("role", "line")
    made.setFixedHeight(1)
    return made


class ElidedLabel(QLabel):
    """One line that gives way: it shortens its text with dots and shows the whole of it as tooltip.

    It takes all the room there is; with `fits` no more than its text needs. `mode` says where the dots stand.
    """

    def __init__(
        self, role: str = "", *, mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight, fits: bool = False
    ) -> None:
        super().__init__()
        self._whole = ""
        self._mode, self._fits = mode, fits
        if role:
            self.setProperty("role", role)
        policy = QSizePolicy.Policy.Maximum if fits else QSizePolicy.Policy.Ignored
        self.setSizePolicy(policy, QSizePolicy.Policy.Preferred)

    @property
    def whole(self) -> str:
        """The text as it was given."""
        return self._whole

    def say(self, text: str) -> None:
        """Show this text as far as there is room."""
        self._whole = text
        self.setToolTip(text)
        self.updateGeometry()
        self._fit()

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 4, hint.height()) if self._fits else hint

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(_LEAST_WORDS, self.sizeHint().width()), hint.height()) if self._fits else hint

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, self._mode, max(0, self.width() - 2)))


class TwoLineLabel(ElidedLabel):
    """As `ElidedLabel`, over two lines."""

    def __init__(self, role: str = "") -> None:
        super().__init__(role)
        self.setWordWrap(True)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self._height)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self._height)

    def hasHeightForWidth(self) -> bool:
        return False

    @property
    def _height(self) -> int:
        return 2 * self.fontMetrics().lineSpacing() + 2

    def _fit(self) -> None:
        low, high = 0, len(self._whole)
        if self._fits_as(self._whole):
            low = high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits_as(self._whole[:middle] + "…") else (low, middle)
        self.setText(self._whole if low == len(self._whole) else self._whole[:low].rstrip() + "…")

    def _fits_as(self, text: str) -> bool:
        room = QRect(0, 0, max(1, self.width() - 2), 10_000)
        used = self.fontMetrics().boundingRect(room, Qt.TextFlag.TextWordWrap, text)
        return used.height() <= self._height and used.width() <= room.width()


def shortened(widget: QWidget, text: str, room_px: int) -> str:
    """A text that fits into so many pixels of a widget; its middle goes: names often differ in their ends."""
    widget.ensurePolished()
    return widget.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, room_px)


class EmptyState(QWidget):
    """What an empty screen shows: one picture, one sentence, one button."""

    def __init__(self, icon_name: str, sentence: str, button_text: str, on_click: Callable[[], object]) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        picture = QLabel()
        picture.setPixmap(icon_pixmap(icon_name, COLOURS.muted, 56))
        self.sentence = label(sentence, "muted", wraps=True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setFixedWidth(_SENTENCE_WIDTH)
        self.button = button(button_text, on_click, role="primary")
        column = QVBoxLayout(self)
        column.setSpacing(16)
        column.addStretch(2)
        for widget in (picture, self.sentence, self.button):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # In a column that is squeezed a wrapped label is given one line only; all of it is its least.
        self.sentence.ensurePolished()
        self.sentence.setMinimumHeight(self.sentence.heightForWidth(_SENTENCE_WIDTH))


def stacks_box() -> QCheckBox:
    """Whether an import makes stacks of DICOM series; it does unless somebody says otherwise."""
    box = QCheckBox(tr("Files of a DICOM series are slices of one stack"))
    box.setToolTip(tr("Off: each file is an image of its own, without neighbours to scroll through."))
    box.setChecked(True)
    return box
