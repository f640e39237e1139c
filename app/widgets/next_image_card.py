"""What comes next: a small picture of the image, its name, and how many are left."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout

from app.texts import counted, tr
from app.widgets.plain import ElidedLabel, label
from app.widgets.thumbnails import ThumbnailSource
from storage.study import Study
from workflows.thumbnails import thumbnail
from workflows.worklist import WorklistRow

_PICTURE_PX = 480
_LEAST = QSize(160, 120)


class NextImageCard(QFrame):
    """Beside what is chosen before annotating; a masked name stays masked."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        self._image_id = ""
        self._source = ThumbnailSource(lambda image_id: thumbnail(study, image_id, size_px=_PICTURE_PX), self)
        self._source.arrived.connect(self._on_arrived)
        self._whole = QPixmap()
        self.setProperty("role", "card")
        column = QVBoxLayout(self)
        column.setContentsMargins(22, 22, 22, 22)
        column.setSpacing(10)
        column.addWidget(label(tr("Next image"), "heading"))
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._picture.setMinimumSize(_LEAST)
        self._picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self._name = ElidedLabel("lead", mode=Qt.TextElideMode.ElideMiddle)
        self._left = label("", "muted")
        for widget in (self._picture, self._name, self._left):
            column.addWidget(widget, 1 if widget is self._picture else 0)
        self.setMaximumHeight(_PICTURE_PX + 140)

    def show_next(self, row: WorklistRow, n_left: int) -> None:
        """Say which image is next, and how many are to do."""
        self._image_id = row.image_id
        self._name.say(row.shown_name)
        self._left.setText(counted(n_left, tr("1 image left"), tr("{n} images left")))
        self._whole = self._source.get(row.image_id) or QPixmap()
        self._fit()

    @property
    def words(self) -> str:
        """What is said of the image."""
        return f"{self._name.whole}\n{self._left.text()}"

    @property
    def has_picture(self) -> bool:
        """Whether its picture has arrived."""
        return not self._whole.isNull()

    def close_source(self) -> None:
        """Stop reading pictures."""
        self._source.close()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _on_arrived(self, image_id: str) -> None:
        if image_id == self._image_id:
            self._whole = self._source.get(image_id) or QPixmap()
            self._fit()

    def _fit(self) -> None:
        if self._whole.isNull():
            self._picture.clear()
            return
        ratio = self.devicePixelRatioF()
        room = self._picture.size().boundedTo(QSize(_PICTURE_PX, _PICTURE_PX)) * ratio
        shown = self._whole.scaled(room, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        shown.setDevicePixelRatio(ratio)
        self._picture.setPixmap(shown)
