"""The pixels of the image that is looked at, and those of the next, read ahead beside the window."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from app.background_task import Task
from app.context import Services
from domain.events import CancelToken, OnProgress
from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack
from storage.study import Study

_log = logging.getLogger(__name__)
_NEIGHBOURS = 25
"""So many slices to each side of the one that is looked at are read ahead, so that scrolling does not wait."""

Stack = tuple[ImagePixels | SliceStack, int | None]


class ImagesAhead:
    """Holds the few images that are wanted and forgets the others."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pixels: dict[str, Stack] = {}
        self._neighbours: Task | None = None

    def pixels(self, image_id: str) -> ImagePixels | SliceStack:
        """The pixels, all slices of the stack where it is one, read now if they have not been read ahead."""
        return self._stack(image_id)[0]

    def home_slice(self, image_id: str) -> int:
        """The slice that is this image; its neighbours in the stack are there to be looked at only."""
        return self._stack(image_id)[1] or 0

    def _stack(self, image_id: str) -> Stack:
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
        self._want_neighbours(image_ids[0] if image_ids else "")

    def _want_neighbours(self, image_id: str) -> None:
        if self._neighbours is not None:
            self._neighbours.cancel()
            self._neighbours = None
        pixels, home = self._pixels.get(image_id, (None, None))
        if isinstance(pixels, SliceStack) and home is not None:
            self._neighbours = self._services.tasks.start(
                "",
                partial(_read_neighbours, pixels, home),
                on_failed=lambda error: _log.warning("a neighbouring slice cannot be read: %s", error),
            )

    def _on_read(self, found: tuple[str, Stack]) -> None:
        self._pixels[found[0]] = found[1]


def _read_image(study: Study, image_id: str, _report: OnProgress, _cancel: CancelToken) -> tuple[str, Stack]:
    return image_id, study.stack(image_id)


def _read_neighbours(stack: SliceStack, home: int, report: OnProgress, cancel: CancelToken) -> None:
    stack.load(home, reach=_NEIGHBOURS, on_progress=report, cancel=cancel)
