"""One look after another: each begins with the first paint of its image, ends by a key, and leads to a mask."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.context import Services
from app.stage_draft import DraftSoon
from app.stage_image import StageImage
from app.stage_labels import LabelsBeside
from domain.errors import TrackerError
from domain.labels import LabelMaps
from domain.study import Outcome
from domain.view import ImageView
from workflows.annotate_images import AnnotationSession
from workflows.look_labels import LookResult, store_look

_PENDING = "pending"


class StageLook(QObject):
    """begun: gaze counts for this image. labelled: the mask is there. failed: it will not be. lost: no tracker.

    seconds_to_mask, seconds_to_first_mask: from the key to the mask, and to the levels that may stand in for it.
    seconds_to_image: from the end of the start target to the image.
    """

    begun = Signal(str)
    labelled = Signal(object)
    failed = Signal(object)
    lost = Signal()

    def __init__(
        self,
        services: Services,
        session: AnnotationSession,
        image: StageImage,
        *,
        clutch: bool,
        show_draft: Callable[[LabelMaps], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._services, self._session, self._image, self._clutch = services, session, image, clutch
        self._labels = LabelsBeside(services)
        self._draft = DraftSoon(show_draft, self)
        self._trial_id = ""
        self._key_at_s = 0.0
        self.seconds_to_mask: list[float] = []
        self.seconds_to_first_mask: list[float] = []
        self.seconds_to_image: list[float] = []

    @property
    def is_running(self) -> bool:
        """Whether gaze counts now."""
        return self._trial_id not in ("", _PENDING)

    def is_prepared(self, image_id: str) -> bool:
        """Whether the refiner has seen the image."""
        return self._labels.is_prepared(image_id)

    def prepare(self, image_id: str) -> None:
        """Another image is there: let the refiner see it before its gaze is known."""
        self._trial_id = ""
        self._labels.prepare(image_id, self._image.pixels.one_slice(self._image.home_slice).display_u8())

    def forget(self, image_id: str) -> None:
        """The image is decided."""
        self._labels.forget(image_id)

    def note_paint(self, view_now: Callable[[], ImageView | None], image_id: str, target: str) -> None:
        """The image was painted while it is to be looked at; view_now: how it lies, None where that is over."""
        if self._trial_id:
            return
        # The backing store goes to the screen when this paint returns; the next turn of the loop is after it.
        self._trial_id = _PENDING
        self.seconds_to_image.append(self._image.seconds_since_due())
        QTimer.singleShot(0, self, lambda: self._begin(view_now(), image_id, target))

    def end(self, outcome: Outcome) -> bool:
        """The annotator has seen enough; False where no look runs."""
        if not self.is_running:
            return False
        self._key_at_s = time.perf_counter()
        self._draft.begin()
        look = self._session.end(outcome=outcome)
        self._trial_id = ""
        self._labels.make(
            look,
            self._image.pixels.one_slice(self._image.home_slice).display_u8(),
            on_draft=self._draft.offer,
            on_done=self._on_labels,
            on_failed=self._on_failed,
        )
        return True

    def drop(self, why: str) -> None:
        """The look counts for nothing; its gaze stays in the record."""
        if self.is_running:
            self._session.key(why)
            self._session.end()
        self._trial_id = ""

    def keep(self, result: LookResult) -> None:
        """Its mask is on the screen: it goes to the desk and into the study, in the same turn of the loop."""
        seconds = time.perf_counter() - self._key_at_s
        self.seconds_to_mask.append(seconds)
        self.seconds_to_first_mask.append(self._draft.seconds or seconds)
        desk, study = self._services.desk, self._services.open_study
        desk.store(lambda: store_look(study, result))
        desk.start_over(result.record.image_id, result.record.target, np.asarray(result.maps.levels[0]))

    def _begin(self, view: ImageView | None, image_id: str, target: str) -> None:
        self._trial_id = ""
        if view is None:
            return  # paused at this very moment: the trial begins with the next paint
        try:
            self._trial_id = self._session.begin(image_id, target, view, clutch=self._clutch)
        except TrackerError:
            self.lost.emit()
            return
        self.begun.emit(image_id)

    def _on_labels(self, result: LookResult) -> None:
        self._draft.end()
        self.labelled.emit(result)

    def _on_failed(self, error: BaseException) -> None:
        self._draft.end()
        self.failed.emit(error)
