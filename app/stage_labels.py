"""Masks of looks, made beside the window; the refiner sees each image while it is being looked at."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.context import Services
from domain.labels import LabelMaps
from workflows.look import Look
from workflows.look_labels import LabelMaker, LookResult

_log = logging.getLogger(__name__)


class LabelsBeside:
    """Starts the tasks and hands over what comes of them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._maker = LabelMaker(services.open_study.settings.labels)

    def is_prepared(self, image_id: str) -> bool:
        """Whether the refiner has seen the image."""
        return self._maker.is_prepared(image_id)

    def prepare(self, image_id: str, image_u8: NDArray[np.uint8]) -> None:
        """Let the refiner see the image before its gaze is known."""
        self._services.tasks.start(
            "",
            lambda _report, cancel: self._maker.prepare(image_id, image_u8, cancel=cancel),
            on_failed=lambda error: _log.info("the refiner was not prepared: %s", error),
        )

    def make(
        self,
        look: Look,
        image_u8: NDArray[np.uint8],
        *,
        on_draft: Callable[[LabelMaps], None],
        on_done: Callable[[LookResult], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        """The maps and the trial of a look; before them, where refining takes its time, the levels of the heatmap."""
        protocol, annotator = self._services.open_study.settings.protocol, self._services.annotator
        if self._maker.parameters.source != "none":
            self._services.tasks.start(
                "",
                lambda _report, _cancel: self._maker.draft(protocol, look),
                on_done=on_draft,
                # What is wrong with the look is said once, by the mask itself.
                on_failed=lambda error: _log.info("nothing stands in for the mask: %s", error),
            )
        self._services.tasks.start(
            "",
            lambda report, cancel: self._maker.make(
                protocol, annotator, look, image_u8, on_progress=report, cancel=cancel
            ),
            on_done=on_done,
            on_failed=on_failed,
        )

    def forget(self, image_id: str) -> None:
        """The image is decided; what the refiner learnt of it goes."""
        self._maker.forget(image_id)
