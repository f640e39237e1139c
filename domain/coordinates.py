"""The whole chain in one place: display area (0-1), physical pixels, window, image pixels, millimetres, degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.display import Display, angle_deg
from domain.view import ImageView

Corners = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class WindowPlace:
    """Where a window's drawing area lies: upper left corner in physical pixels of its screen, and its scaling.

    Window coordinates are logical pixels, as window systems use them; `scale` physical pixels make one.
    """

    left_top_px: tuple[float, float]
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError(f"scale must be positive, got {self.scale}")


@dataclass(frozen=True)
class Coordinates:
    """Conversions for one screen. All arrays have (x, y) or (x, y, z) on their last axis.

    display_area_mm: upper left, upper right and lower left corner of the screen in the tracker's user coordinate
    system, as the tracker says; without it the screen is taken to stand upright with its lower edge centred on the
    tracker.
    """

    display: Display
    display_area_mm: Corners = ()

    def __post_init__(self) -> None:
        if self.display_area_mm and np.shape(self.display_area_mm) != (3, 3):
            raise ValueError(f"a display area has three corners of three numbers, got {self.display_area_mm}")

    def window_from_norm(self, gaze_norm: ArrayLike, window: WindowPlace) -> NDArray[np.float64]:
        """Display area to logical pixels of a window."""
        px = self.display.px_from_norm(gaze_norm)
        return np.asarray((px - np.asarray(window.left_top_px)) / window.scale, np.float64)

    def norm_from_window(self, window_xy: ArrayLike, window: WindowPlace) -> NDArray[np.float64]:
        """Logical pixels of a window to the display area."""
        px = np.asarray(window_xy, np.float64) * window.scale + np.asarray(window.left_top_px)
        return self.display.norm_from_px(px)

    def image_from_norm(self, gaze_norm: ArrayLike, view: ImageView) -> NDArray[np.float64]:
        """Display area to image pixels."""
        return view.image_xy_from_norm(gaze_norm, self.display)

    def norm_from_image(self, image_xy: ArrayLike, view: ImageView) -> NDArray[np.float64]:
        """Image pixels to the display area."""
        return view.norm_from_image_xy(image_xy, self.display)

    def image_from_window(self, window_xy: ArrayLike, window: WindowPlace, view: ImageView) -> NDArray[np.float64]:
        """Logical pixels of a window (a mouse position) to image pixels."""
        return self.image_from_norm(self.norm_from_window(window_xy, window), view)

    def mm_from_norm(self, gaze_norm: ArrayLike) -> NDArray[np.float64]:
        """Display area to millimetres of the user coordinate system: TL + x (TR - TL) + y (BL - TL)."""
        gaze = np.asarray(gaze_norm, np.float64)
        upper_left, upper_right, lower_left = self._corners()
        across, down = upper_right - upper_left, lower_left - upper_left
        return np.asarray(upper_left + gaze[..., :1] * across + gaze[..., 1:2] * down, np.float64)

    def norm_from_mm(self, point_mm: ArrayLike) -> NDArray[np.float64]:
        """Millimetres of the user coordinate system to the display area; points off the plane go straight to it."""
        upper_left, upper_right, lower_left = self._corners()
        axes = np.stack([upper_right - upper_left, lower_left - upper_left], axis=1)
        return np.asarray((np.asarray(point_mm, np.float64) - upper_left) @ np.linalg.pinv(axes).T, np.float64)

    def angle_deg(self, first_norm: ArrayLike, second_norm: ArrayLike, origin_mm: ArrayLike) -> NDArray[np.float64]:
        """Visual angle between two points of the display area, seen from an eye at `origin_mm`."""
        origin = np.asarray(origin_mm, np.float64)
        return angle_deg(self.mm_from_norm(first_norm) - origin, self.mm_from_norm(second_norm) - origin)

    def origin_mm(self) -> NDArray[np.float64]:
        """Where an eye is taken to be when the tracker does not say: before the screen's centre, at its distance."""
        upper_left, upper_right, lower_left = self._corners()
        normal = np.cross(lower_left - upper_left, upper_right - upper_left)
        centre = (upper_right + lower_left) / 2.0
        return np.asarray(centre + normal / np.linalg.norm(normal) * self.display.distance_mm, np.float64)

    def _corners(self) -> NDArray[np.float64]:
        if self.display_area_mm:
            return np.asarray(self.display_area_mm, np.float64)
        width, height = self.display.size_mm
        return np.array([[-width / 2, height, 0.0], [width / 2, height, 0.0], [-width / 2, 0.0, 0.0]])
