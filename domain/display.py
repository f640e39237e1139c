"""The screen on which images are looked at, and the conversions between its pixels, millimetres and degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Display:
    """A screen: size in physical pixels and millimetres, viewing distance, and its place on the desktop.

    `size_mm` is the active area; `origin_px` is the upper left corner on the virtual desktop in physical pixels;
    `scale` is Qt's device pixel ratio (physical pixels per logical pixel).
    """

    size_px: tuple[int, int]
    size_mm: tuple[float, float]
    distance_mm: float = 650.0
    name: str = ""
    serial: str = ""
    origin_px: tuple[int, int] = (0, 0)
    scale: float = 1.0

    def __post_init__(self) -> None:
        if min(*self.size_px, *self.size_mm, self.distance_mm, self.scale) <= 0:
            raise ValueError(f"a display needs positive sizes, distance and scale, got {self}")

    def px_from_norm(self, gaze_norm: ArrayLike) -> NDArray[np.float64]:
        """Display area (0-1) to physical pixels of this screen; last axis (x, y)."""
        return np.asarray(gaze_norm, np.float64) * np.asarray(self.size_px, np.float64)

    def norm_from_px(self, screen_px: ArrayLike) -> NDArray[np.float64]:
        """Physical pixels of this screen to display area (0-1); last axis (x, y)."""
        return np.asarray(screen_px, np.float64) / np.asarray(self.size_px, np.float64)

    def mm_from_norm(self, gaze_norm: ArrayLike) -> NDArray[np.float64]:
        """Display area (0-1) to millimetres from the upper left corner."""
        return np.asarray(gaze_norm, np.float64) * np.asarray(self.size_mm, np.float64)

    def px_per_deg(self) -> tuple[float, float]:
        """Physical pixels in one degree of visual angle at the screen's centre, horizontally and vertically."""
        mm_per_deg = 2.0 * self.distance_mm * np.tan(np.radians(0.5))
        return (
            float(mm_per_deg * self.size_px[0] / self.size_mm[0]),
            float(mm_per_deg * self.size_px[1] / self.size_mm[1]),
        )


def angle_deg(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Angle between vectors along the last axis, degrees; atan2 form, exact for small angles.

    Source: Kahan's formula, as used for gaze rays in the Tobii I-VT white paper (Olsen 2012) geometry.
    """
    a = np.asarray(first, np.float64)
    b = np.asarray(second, np.float64)
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.degrees(np.arctan2(cross, np.sum(a * b, axis=-1))))
