"""Tools that change a mask, and the patch that takes one change back or makes it again."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
SMART_FILL_SHARE = 0.25
"""A smart fill never takes more than this share of the image: a leak is worse than a second click."""


@dataclass(frozen=True)
class Patch:
    """The pixels that one change turned over: packed bits of a box (top, left, bottom, right). Applying it twice is
    doing nothing, so that undo and redo are the same act and the mask comes back bit for bit.
    """

    box: Box
    bits: bytes

    @classmethod
    def between(cls, before: Mask, after: Mask) -> Patch:
        """What differs between two masks of one size."""
        differs = before ^ after
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            return cls((0, 0, 0, 0), b"")
        box = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        part = differs[box[0] : box[2], box[1] : box[3]]
        return cls(box, zlib.compress(np.packbits(part).tobytes(), 1))

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not self.bits

    def apply(self, mask: Mask) -> None:
        """Turn the pixels over, in place."""
        if self.is_empty:
            return
        top, left, bottom, right = self.box
        shape = (bottom - top, right - left)
        flat = np.unpackbits(np.frombuffer(zlib.decompress(self.bits), np.uint8), count=shape[0] * shape[1])
        mask[top:bottom, left:right] ^= flat.reshape(shape).astype(np.bool_)


def painted(mask: Mask, path_xy: Sequence[tuple[float, float]], radius: float, *, adds: bool) -> tuple[Mask, Box]:
    """The mask after a stroke of a round brush, and the box that it may have touched.

    `path_xy` are points in image pixels ((0, 0) is the corner of the first pixel); a pixel is painted where its centre
    lies within `radius` of the path.
    """
    height, width = mask.shape
    xy = np.asarray(path_xy, np.float64)
    low = np.floor(xy.min(axis=0) - radius - 1).astype(int)
    high = np.ceil(xy.max(axis=0) + radius + 1).astype(int)
    left, top = max(0, low[0]), max(0, low[1])
    right, bottom = min(width, high[0]), min(height, high[1])
    out = mask.copy()
    if left >= right or top >= bottom:
        return out, (0, 0, 0, 0)
    x, y = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    inside = np.zeros(x.shape, np.bool_)
    starts, ends = (xy, xy) if len(xy) == 1 else (xy[:-1], xy[1:])
    for (ax, ay), (bx, by) in zip(starts, ends, strict=True):
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / length2, 0, 1) if length2 > 0 else np.zeros_like(x)
        inside |= (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2 <= radius * radius
    out[top:bottom, left:right][inside] = adds
    return out, (top, left, bottom, right)


def with_polygon(mask: Mask, points_xy: Sequence[tuple[float, float]], *, adds: bool) -> Mask:
    """The mask with a polygon added or taken away; a pixel belongs to it where its centre lies inside."""
    out = mask.copy()
    if len(points_xy) < 3:
        return out
    # Pixel centres are at half values; OpenCV counts from the centre of the first pixel, in 1/256 pixels here.
    corners = np.round((np.asarray(points_xy, np.float64) - 0.5) * 256).astype(np.int32)
    drawn = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(drawn, [corners], 1, shift=8)
    out[drawn > 0] = adds
    return out


def holes_filled(mask: Mask) -> Mask:
    """The mask without holes."""
    return np.asarray(ndimage.binary_fill_holes(mask), np.bool_)


def smart_fill(
    mask: Mask, image_u8: NDArray[np.uint8], at_xy: tuple[float, float], *, tolerance: float, adds: bool
) -> Mask:
    """Add (or take away) the region of like colour around a point.

    Grows from the point over pixels whose colour in CIELAB, smoothed, lies within `tolerance` of it, then closes small
    gaps. A region above `SMART_FILL_SHARE` of the image is refused: the mask comes back as it was.
    """
    height, width = mask.shape
    x, y = int(at_xy[0]), int(at_xy[1])
    if not (0 <= x < width and 0 <= y < height):
        return mask.copy()
    smooth = cv2.bilateralFilter(image_u8, 7, 30, 7)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32)
    seed = np.median(lab[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].reshape(-1, 3), axis=0)
    near = np.linalg.norm((lab - seed) * np.array([0.5, 1.0, 1.0], np.float32), axis=2) <= tolerance
    near[y, x] = True
    parts, _ = ndimage.label(near)
    region = parts == parts[y, x]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    region = cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    region = holes_filled(region)
    if region.mean() > SMART_FILL_SHARE:
        return mask.copy()
    out = mask.copy()
    out[region] = adds
    return out
