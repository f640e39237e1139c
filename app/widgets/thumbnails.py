"""Thumbnails that arrive when they are ready: the newest wish first, so that what is on screen comes soonest."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap

_log = logging.getLogger(__name__)
_KEPT = 1500
_WAITING = 120


class ThumbnailSource(QObject):
    """Asks `load(image_id)` on its own thread and says when a picture has arrived."""

    arrived = Signal(str)
    _loaded = Signal(str, object)

    def __init__(self, load: Callable[[str], NDArray[np.uint8]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._load = load
        self._kept: OrderedDict[str, QPixmap] = OrderedDict()
        self._waiting: list[str] = []
        self._n_on_the_way = 0
        self._condition = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="thumbnails", daemon=True)
        self._loaded.connect(self._on_loaded, Qt.ConnectionType.QueuedConnection)
        self._thread.start()

    def get(self, image_id: str) -> QPixmap | None:
        """The picture if it is here; else None, and it will be fetched."""
        found = self._kept.get(image_id)
        if found is not None:
            self._kept.move_to_end(image_id)
            return found
        with self._condition:
            if image_id in self._waiting:
                self._waiting.remove(image_id)
            self._waiting.append(image_id)
            del self._waiting[:-_WAITING]
            self._condition.notify()
        return None

    @property
    def is_idle(self) -> bool:
        """Whether every picture that was asked for is here."""
        with self._condition:
            return not self._waiting and not self._n_on_the_way

    def close(self) -> None:
        """Stop the thread."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._is_closed:
                    self._condition.wait()
                if self._is_closed:
                    return
                image_id = self._waiting.pop()
                self._n_on_the_way += 1
            try:
                picture: NDArray[np.uint8] | None = self._load(image_id)
            except Exception:  # noqa: BLE001 - a thread's edge: one bad image leaves a blank, the others come
                _log.warning("no thumbnail for %s", image_id, exc_info=True)
                picture = None
            if not self._is_closed:
                self._loaded.emit(image_id, picture)

    def _on_loaded(self, image_id: str, picture: NDArray[np.uint8] | None) -> None:
        with self._condition:
            self._n_on_the_way -= 1
        self._kept[image_id] = pixmap_of(picture) if picture is not None else QPixmap()
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        self.arrived.emit(image_id)


def icon_of(picture: QPixmap) -> QIcon:
    """A thumbnail for a list: an image is never tinted, also where it is chosen."""
    made = QIcon(picture)
    made.addPixmap(picture, QIcon.Mode.Selected)
    return made


def pixmap_of(rgb: NDArray[np.uint8]) -> QPixmap:
    """An RGB array (h, w, 3) as a picture of Qt."""
    data = np.ascontiguousarray(rgb)
    height, width = data.shape[:2]
    return QPixmap.fromImage(QImage(data.data, width, height, width * 3, QImage.Format.Format_RGB888).copy())
