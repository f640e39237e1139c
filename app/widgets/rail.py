"""The rail of screens: it shrinks with its window, first to words without pictures, then it scrolls."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QScrollArea, QToolButton, QVBoxLayout

from app.theme import COLOURS, icon

_WIDTH = 96
_TALL, _LOW = 54, 26
_FROM_WITH_PICTURE = 46
_MARGIN = 8


class Rail(QScrollArea):
    """Buttons from top to bottom; those at the foot stay there."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFixedWidth(_WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        for set_policy in (self.setHorizontalScrollBarPolicy, self.setVerticalScrollBarPolicy):
            set_policy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # the wheel and Tab scroll; a bar would cover the words
        self.buttons: dict[str, QToolButton] = {}
        self._icons: dict[str, str] = {}
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        inside = QFrame()
        inside.setProperty("role", "rail")
        self._column = QVBoxLayout(inside)
        self._column.setSpacing(0)
        self.setWidget(inside)

    def minimumSizeHint(self) -> QSize:
        return QSize(_WIDTH, 2 * _TALL)

    def add(self, name: str, title: str, icon_name: str, on_click: Callable[[], object]) -> QToolButton:
        """One more screen."""
        made = QToolButton()
        made.setProperty("role", "rail")
        made.setCheckable(True)
        made.setIcon(icon(icon_name, COLOURS.muted))
        made.setIconSize(QSize(22, 22))
        made.setText(title)
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        made.setFixedSize(_WIDTH - 1, _TALL)
        made.setAccessibleName(title)
        made.clicked.connect(lambda _checked=False: on_click())
        self.buttons[name], self._icons[name] = made, icon_name
        self._group.addButton(made)
        self._column.addWidget(made)
        return made

    def add_stretch(self) -> None:
        """What follows is at the foot."""
        self._column.addStretch(1)

    def mark(self, current: str) -> None:
        """Show which screen is in front."""
        for name, made in self.buttons.items():
            made.setChecked(name == current)
            made.setIcon(icon(self._icons[name], COLOURS.accent if name == current else COLOURS.muted))
        if current in self.buttons:
            self.ensureWidgetVisible(self.buttons[current], 0, 0)

    def fit(self) -> None:
        """Buttons as tall as there is room for."""
        n_shown = sum(not made.isHidden() for made in self.buttons.values())
        room = self.height() - 2 * _MARGIN
        low = max(_LOW, self.fontMetrics().height() + 6)
        height = min(_TALL, max(low, room // max(n_shown, 1)))
        margin = _MARGIN if n_shown * height <= room else 0
        self._column.setContentsMargins(0, margin, 0, margin)
        has_picture = height >= _FROM_WITH_PICTURE
        style = Qt.ToolButtonStyle
        for made in self.buttons.values():
            made.setToolButtonStyle(style.ToolButtonTextUnderIcon if has_picture else style.ToolButtonTextOnly)
            made.setProperty("low", not has_picture)
            made.style().unpolish(made)
            made.style().polish(made)
            made.setFixedSize(_WIDTH - 1, height)
        self._column.activate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()
