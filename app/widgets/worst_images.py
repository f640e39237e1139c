"""The images that a run's model predicts worst; a click opens one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.texts import tr
from app.widgets.plain import label
from workflows.run_comparison import WorstImage

_PICTURE = QSize(224, 168)
_CELL = QSize(248, 204)


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
        self.list.setIconSize(_PICTURE)
        self.list.setGridSize(_CELL)
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

    def _on_chosen(self, item: QListWidgetItem) -> None:
        self.opened.emit(str(item.data(Qt.ItemDataRole.UserRole)))


def _shortened(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"
