"""Widgets side by side where there is room, and below each other where there is not."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QWidget


class FoldingBox(QWidget):
    """Folds when it is narrower than `least_px`: small screens, and large texts on others."""

    def __init__(self, least_px: int, *, spacing: int = 14) -> None:
        super().__init__()
        self._least_px = least_px
        self._box = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSizeConstraint(QBoxLayout.SizeConstraint.SetNoConstraint)
        self._widgets: list[QWidget] = []
        self._box.setSpacing(spacing)

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """One more widget, after the others."""
        self._widgets.append(widget)
        self._box.addWidget(widget, stretch)

    @property
    def is_folded(self) -> bool:
        """Whether the widgets stand below each other."""
        return self._box.direction() == QBoxLayout.Direction.TopToBottom

    def minimumSizeHint(self) -> QSize:
        # As narrow as the widest of the widgets: it can fold.
        width = max((max(w.minimumSizeHint().width(), w.minimumWidth()) for w in self._widgets), default=0)
        return QSize(width, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        folds = event.size().width() < self._least_px
        self._box.setDirection(QBoxLayout.Direction.TopToBottom if folds else QBoxLayout.Direction.LeftToRight)
        super().resizeEvent(event)
