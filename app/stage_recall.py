"""Looks whose masks nobody has decided about yet: they are read again, and offered instead of another look."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.context import Services
from app.stage_image import StageImage
from app.stage_list import StageList
from app.texts import tr
from domain.study import TrialStatus
from workflows.look_labels import LookResult, read_look


class StageRecall(QObject):
    """ready: the image and its result are there. missing: there is no such look. failed: it cannot be read, and why.

    dropped: instead of these, after `drop`.
    """

    ready = Signal(object)
    missing = Signal()
    failed = Signal(object)
    dropped = Signal()

    def __init__(self, services: Services, images: StageList, image: StageImage, parent: QObject) -> None:
        super().__init__(parent)
        self._services, self._images, self._image = services, images, image
        self._undecided = {row.image_id for row in images.rows if row.status is TrialStatus.IN_PROGRESS}
        self._result: LookResult | None = None
        self.is_reading = self._is_dropped = False

    @property
    def is_due(self) -> bool:
        """Whether the image that is on has a mask that nobody has decided about."""
        return self._images.image_id in self._undecided

    def note(self, image_id: str, *, is_decided: bool) -> None:
        """Somebody decided about an image, or has to."""
        (self._undecided.discard if is_decided else self._undecided.add)(image_id)

    def begin(self) -> None:
        """Read the image that is on and its newest look."""
        self._result, self.is_reading = None, True
        self._image.begin(self._images.ids_ahead)
        self._image.go_on()  # nobody looks: no start target
        desk, place = self._services.desk, self._images.desk_place
        self._services.tasks.start(
            tr("Reading the mask"),
            lambda _report, _cancel: read_look(desk, place),
            on_done=self._on_read,
            on_failed=self._on_failed,
        )

    def drop(self) -> None:
        """Whoever waits wants out, as soon as what is read beside the window is read."""
        self._is_dropped = True

    def offer(self) -> None:
        """Say `ready` if both are there."""
        result = self._result
        if result is not None and self._image.is_there:
            self._result = None
            self.ready.emit(result)

    def _on_read(self, result: LookResult | None) -> None:
        self.is_reading = False
        if self._is_dropped:
            self.dropped.emit()
        elif result is None:
            self.note(self._images.image_id, is_decided=True)
            self.missing.emit()
        else:
            self._result = result
            self.offer()

    def _on_failed(self, error: BaseException) -> None:
        self.is_reading = False
        if self._is_dropped:
            self.dropped.emit()
        else:
            self.failed.emit(error)
