"""Perceptual colour maps for maps in 0-1, as tables of 256 colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

_TABLES = {
    "viridis": cv2.COLORMAP_VIRIDIS,
    "magma": cv2.COLORMAP_MAGMA,
    "inferno": cv2.COLORMAP_INFERNO,
    "cividis": cv2.COLORMAP_CIVIDIS,
}
NAMES = tuple(_TABLES)

# Wong 2011: five colours told apart also without red-green vision, strongest level first.
LEVEL_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442")
_SAME_LEVEL = 0.0051  # a slider has a hundred steps


def level_colour(number: int) -> str:
    """The colour of the n-th level, from 0; the same on every screen."""
    return LEVEL_COLOURS[number % len(LEVEL_COLOURS)]


MASK_COLOUR = level_colour(0)
"""A mask that belongs to no level of the study: drawn, or of a level in between. A mask begins as the first level."""


def colour_at(threshold: float, thresholds: Sequence[float]) -> str:
    """The colour of a mask that was cut at this threshold."""
    for number, level in enumerate(thresholds):
        if abs(level - threshold) < _SAME_LEVEL:
            return level_colour(number)
    return MASK_COLOUR


@lru_cache(maxsize=8)
def table(name: str) -> NDArray[np.uint8]:
    """256 x 3 colours (red, green, blue) of a perceptual map."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(ramp, _TABLES[name])[:, 0, ::-1])


def coloured(map01: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """A map (H, W) in 0-1 as premultiplied BGRA (H, W, 4): its colour, more opaque where it is higher."""
    index = np.clip(map01 * 255.0, 0, 255).astype(np.uint8)
    rgb = table(name)[index].astype(np.uint16)
    alpha = np.minimum(index.astype(np.uint16) * 2, 255)
    out = np.empty((*map01.shape, 4), np.uint8)
    for position, channel in enumerate((2, 1, 0)):
        out[..., position] = (rgb[..., channel] * alpha // 255).astype(np.uint8)
    out[..., 3] = alpha.astype(np.uint8)
    return out
