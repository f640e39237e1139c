"""The pixels of the image that is looked at, and those of the next, read ahead beside the window."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from app.context import Services
from domain.events import CancelToken, OnProgress
from domain.pixels import ImagePixels
from storage.study import Study

_log = logging.getLogger(__name__)


class ImagesAhead:
    """Holds the few images that are wanted and forgets the others."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pixels: dict[str, tuple[ImagePixels, int | None]] = {}

    def pixels(self, image_id: str) -> ImagePixels:
        """The pixels, all slices of the stack where it is one, read now if they have not been read ahead."""
        return self._stack(image_id)[0]

    def home_slice(self, image_id: str) -> int:
        """The slice that is this image; its neighbours in the stack are there to be looked at only."""
        return self._stack(image_id)[1] or 0

    def _stack(self, image_id: str) -> tuple[ImagePixels, int | None]:
        if image_id not in self._pixels:
            self._pixels[image_id] = self._services.open_study.stack(image_id)
        return self._pixels[image_id]

    def want(self, image_ids: Sequence[str]) -> None:
        """Read these ahead; let go of the rest."""
        for image_id in list(self._pixels):
            if image_id not in image_ids:
                del self._pixels[image_id]
        study = self._services.open_study
        for image_id in image_ids:
            if image_id not in self._pixels:
                self._services.tasks.start(
                    "",
                    partial(_read_image, study, image_id),
                    on_done=self._on_read,
                    on_failed=lambda error: _log.warning("the next image cannot be read: %s", error),
                )

    def _on_read(self, found: tuple[str, tuple[ImagePixels, int | None]]) -> None:
        self._pixels[found[0]] = found[1]


def _read_image(
    study: Study, image_id: str, _report: OnProgress, _cancel: CancelToken
) -> tuple[str, tuple[ImagePixels, int | None]]:
    return image_id, study.stack(image_id)
