"""The screen as a plane in the tracker's coordinate system, and angles as the eye sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.display import Display
from domain.gaze import GazeSamples

Float = NDArray[np.float64]


@dataclass(frozen=True)
class ScreenPlane:
    """Three corners of the display area in millimetres of the tracker's user coordinate system.

    The system (Tobii SDK, "user coordinate system"): x to the user's right, y up, z towards the user.
    """

    top_left_mm: tuple[float, float, float]
    top_right_mm: tuple[float, float, float]
    bottom_left_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        if np.linalg.norm(np.cross(self.across_mm, self.down_mm)) < 1.0:
            raise ValueError(f"the corners {self} do not span a screen")

    @classmethod
    def upright(cls, display: Display) -> ScreenPlane:
        """An upright screen whose lower edge's centre is the origin: a tracker mounted under the screen."""
        width, height = display.size_mm
        return cls((-width / 2, height, 0.0), (width / 2, height, 0.0), (-width / 2, 0.0, 0.0))

    @property
    def across_mm(self) -> Float:
        """From the upper left to the upper right corner."""
        return np.asarray(self.top_right_mm, np.float64) - np.asarray(self.top_left_mm, np.float64)

    @property
    def down_mm(self) -> Float:
        """From the upper left to the lower left corner."""
        return np.asarray(self.bottom_left_mm, np.float64) - np.asarray(self.top_left_mm, np.float64)

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height."""
        return float(np.linalg.norm(self.across_mm)), float(np.linalg.norm(self.down_mm))

    @property
    def right(self) -> Float:
        """Unit vector along the screen to the right."""
        return self.across_mm / np.linalg.norm(self.across_mm)

    @property
    def down(self) -> Float:
        """Unit vector along the screen downwards."""
        return self.down_mm / np.linalg.norm(self.down_mm)

    @property
    def towards_user(self) -> Float:
        """Unit vector out of the screen."""
        normal = np.cross(self.down_mm, self.across_mm)
        return np.asarray(normal / np.linalg.norm(normal), np.float64)

    def mm_from_norm(self, gaze_norm: ArrayLike) -> Float:
        """Display area (0-1), last axis (x, y), to millimetres, last axis (x, y, z)."""
        xy = np.asarray(gaze_norm, np.float64)
        corner = np.asarray(self.top_left_mm, np.float64)
        return np.asarray(corner + xy[..., :1] * self.across_mm + xy[..., 1:] * self.down_mm, np.float64)

    def eye_mm(self, distance_mm: float) -> Float:
        """Where an eye is expected: opposite the screen's centre at the viewing distance."""
        return self.mm_from_norm((0.5, 0.5)) + distance_mm * self.towards_user

    def norm_per_deg(self, distance_mm: float) -> tuple[float, float]:
        """Share of the display area's width and height in one degree at the centre."""
        mm_per_deg = 2.0 * distance_mm * float(np.tan(np.radians(0.5)))
        width, height = self.size_mm
        return mm_per_deg / width, mm_per_deg / height

    def numbers(self) -> tuple[float, ...]:
        """The nine corner coordinates, as stored with a calibration."""
        return tuple(float(v) for v in (*self.top_left_mm, *self.top_right_mm, *self.bottom_left_mm))


def origins_mm(samples: GazeSamples, plane: ScreenPlane, distance_mm: float) -> Float:
    """Eye positions (n, 2, 3); where the tracker gave none, the expected place of an eye."""
    origin = samples.origin_mm
    known = samples.origin_valid & np.isfinite(origin).all(axis=-1)
    return np.where(known[..., None], origin, plane.eye_mm(distance_mm))


def disagreement_mm(samples: GazeSamples, plane: ScreenPlane) -> float:
    """Median distance between the tracker's 3-D gaze points and the same points on this screen; NaN if unknown.

    A large value means that the tracker was set up for another screen than the one in use.
    """
    both = samples.gaze_valid & np.isfinite(samples.gaze_mm).all(axis=-1) & np.isfinite(samples.gaze_norm).all(axis=-1)
    if not both.any():
        return float("nan")
    here = plane.mm_from_norm(samples.gaze_norm[both])
    return float(np.median(np.linalg.norm(here - samples.gaze_mm[both], axis=-1)))
