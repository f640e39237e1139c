"""The image that comes next on the stage: read beside the window while the start target is looked at."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from app.context import Services
from app.picture_loader import PictureLoader
from app.slices_ahead import SlicesAhead
from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack

START_TARGET_MS = 700
Stack = tuple[ImagePixels | SliceStack, int | None]


class StageImage(QObject):
    """Shown when it is read and the start target has had its time, whichever comes later; nothing is before that.

    arrived: the pixels are there. due: show them now. is_late: the target had its time and the image is not there.
    unreadable: it will not come, and why.
    """

    arrived = Signal()
    due = Signal()
    is_late = Signal()
    unreadable = Signal(object)

    def __init__(self, services: Services, parent: QObject) -> None:
        super().__init__(parent)
        self.start_target_ms = START_TARGET_MS
        self._picture: Stack | None = None
        self._slices = SlicesAhead(services.readers)
        self._due_s = 0.0
        self._busy_s = 0.0
        self._pictures: PictureLoader[str, Stack] = PictureLoader(
            services.readers,
            lambda image_id: services.open_study.stack(image_id),
            on_shown=lambda _image_id, picture: self._on_read(picture),
            on_failed=lambda _image_id, error: self._on_failed(error),
            on_slow=lambda _image_id: None,  # the start target is looked at meanwhile
        )
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.go_on)

    @property
    def is_there(self) -> bool:
        """Whether the pixels of the image that was begun are read."""
        return self._picture is not None

    @property
    def pixels(self) -> ImagePixels | SliceStack:
        """The pixels, all slices of the stack where it is one.

        Raises:
            RuntimeError: they are not read yet.
        """
        if self._picture is None:
            raise RuntimeError("the image is not read yet")
        return self._picture[0]

    @property
    def home_slice(self) -> int:
        """The slice that is this image; its neighbours in the stack are there to be looked at only."""
        return (self._picture[1] or 0) if self._picture is not None else 0

    def begin(self, image_ids: Sequence[str]) -> None:
        """The first of these is next, the others are read ahead; the start target begins to be looked at."""
        began_s = time.perf_counter()
        self._picture, self._due_s, self._busy_s = None, 0.0, 0.0
        self._timer.start(self.start_target_ms)
        self._pictures.want(image_ids[0], ahead=image_ids[1:])
        self._busy_s += time.perf_counter() - began_s if self._picture is None else 0.0

    def go_on(self) -> None:
        """The start target has been looked at: show the image, or as soon as it is read."""
        self._timer.stop()
        if not self._due_s:
            self._due_s = time.perf_counter()
        (self.due if self.is_there else self.is_late).emit()

    def stop(self) -> None:
        """No image is wanted any more."""
        self._timer.stop()
        self._pictures.stop()
        self._slices.stop()

    def seconds_since_due(self) -> float:
        """How long the annotator has waited, the start target's time left out, and what kept the window busy in it."""
        return self._busy_s + time.perf_counter() - self._due_s

    def _on_read(self, picture: Stack) -> None:
        began_s = time.perf_counter()
        self._picture = picture
        self.arrived.emit()
        self._slices.read_around(*picture)
        if self._due_s:
            self.due.emit()
        else:
            self._busy_s += time.perf_counter() - began_s

    def _on_failed(self, error: BaseException) -> None:
        self._timer.stop()
        self.unreadable.emit(error)
