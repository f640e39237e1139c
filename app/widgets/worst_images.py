"""The images that a run's model predicts worst; a click opens one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QMargins, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap, QResizeEvent
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.texts import tr
from app.widgets.plain import label
from workflows.run_comparison import WorstImage

_N_SHOWN = 10
_LEAST_WIDTH = 120
_GAP, _WORDS, _SCROLL_BAR = 20, 24, 16


class WorstImages(QWidget):
    """Pictures with both outlines, the worst first. opened: the image's id."""

    opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._words = label("", "muted", wraps=True)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Worst images"))
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemClicked.connect(self._on_chosen)
        self.list.itemActivated.connect(self._on_chosen)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 10, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._words)
        column.addWidget(self.list, 1)
        self.show_images(())

    def show_images(self, images: Sequence[WorstImage]) -> None:
        """Those of one run; none says so."""
        self.list.clear()
        for one in images:
            words = tr("Dice {dice:.2f}  {name}").format(name=_shortened(one.image_id), dice=one.dice)
            item = QListWidgetItem(QIcon(QPixmap(str(one.picture))), words)
            item.setData(Qt.ItemDataRole.UserRole, one.image_id)
            item.setToolTip(one.image_id)
            self.list.addItem(item)
        self.list.setVisible(bool(images))
        some = tr("Validation images, the lowest Dice first. Orange: the model, blue: the mask. Click one to open it.")
        none = tr("A finished run with reviewed validation masks shows here the images that it predicts worst.")
        self._words.setText(some if images else none)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ten pictures as large as the room allows."""
        super().resizeEvent(event)
        room = self.list.contentsRect().size().shrunkBy(QMargins(0, 0, _SCROLL_BAR, 0))
        # Of all grids that hold ten, the one with the largest pictures.
        sizes = []
        for columns in range(2, 7):
            width = room.width() // columns - _GAP
            height = room.height() // math.ceil(_N_SHOWN / columns) - _GAP - _WORDS
            sizes.append(max(_LEAST_WIDTH, min(width, height * 4 // 3)))
        width = max(sizes)
        self.list.setIconSize(QSize(width, width * 3 // 4))
        self.list.setGridSize(QSize(width + _GAP - 2, width * 3 // 4 + _GAP // 2 + _WORDS))

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.opened.emit(str(item.data(Qt.ItemDataRole.UserRole)))


def _shortened(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"
