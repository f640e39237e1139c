"""How an image lies in a window, and the one chain from gaze on the display area to image pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.display import Display


@dataclass(frozen=True)
class ImageView:
    """Where an image is drawn on a screen, in physical pixels of that screen.

    A point of the image (x, y), with (0, 0) the outer corner of its first pixel, lies on the screen at
    `left_top_px + zoom * (x, y)`, or mirrored inside the image's rectangle where `flip_x` or `flip_y` is set.
    `slice_index` says which slice of a stack is shown.
    """

    image_size: tuple[int, int]
    left_top_px: tuple[float, float]
    zoom: float
    flip_x: bool = False
    flip_y: bool = False
    slice_index: int = 0

    def __post_init__(self) -> None:
        if self.zoom <= 0 or min(self.image_size) <= 0:
            raise ValueError(f"a view needs a positive zoom and image size, got {self}")

    @classmethod
    def fitted(cls, image_size: tuple[int, int], screen_px: tuple[int, int], *, margin: float = 0.0) -> ImageView:
        """The image centred on the screen, as large as it goes, with a margin as a share of the screen."""
        zoom = min(s * (1 - 2 * margin) / i for s, i in zip(screen_px, image_size, strict=True))
        left, top = ((s - zoom * i) / 2 for s, i in zip(screen_px, image_size, strict=True))
        return cls(image_size=image_size, left_top_px=(left, top), zoom=zoom)

    def image_xy_from_screen(self, screen_px: ArrayLike) -> NDArray[np.float64]:
        """Physical screen pixels to image pixels; last axis (x, y). May lie outside the image."""
        xy = (np.asarray(screen_px, np.float64) - np.asarray(self.left_top_px, np.float64)) / self.zoom
        return self._mirrored(np.asarray(xy, np.float64))

    def screen_from_image_xy(self, image_xy: ArrayLike) -> NDArray[np.float64]:
        """Image pixels to physical screen pixels; last axis (x, y)."""
        offset = np.asarray(self.left_top_px, np.float64)
        return np.asarray(self._mirrored(np.asarray(image_xy, np.float64)) * self.zoom + offset, np.float64)

    def image_xy_from_norm(self, gaze_norm: ArrayLike, display: Display) -> NDArray[np.float64]:
        """Gaze on the display area (0-1) to image pixels."""
        return self.image_xy_from_screen(display.px_from_norm(gaze_norm))

    def norm_from_image_xy(self, image_xy: ArrayLike, display: Display) -> NDArray[np.float64]:
        """Image pixels to the display area (0-1)."""
        return display.norm_from_px(self.screen_from_image_xy(image_xy))

    def moved(self, left_top_px: tuple[float, float], zoom: float) -> ImageView:
        """The same image elsewhere."""
        return replace(self, left_top_px=left_top_px, zoom=zoom)

    def _mirrored(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        width, height = self.image_size
        if not (self.flip_x or self.flip_y):
            return xy
        out = np.array(xy, np.float64)
        if self.flip_x:
            out[..., 0] = width - xy[..., 0]
        if self.flip_y:
            out[..., 1] = height - xy[..., 1]
        return out
