"""Who is calibrated and how: points, targets, pace, and what counts as a stable look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from domain.calibration import Eyes, Point
from domain.display import Display
from domain.errors import UserFacingError

FIVE: tuple[Point, ...] = ((0.5, 0.5), (0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9))
"""Tobii's own list of five points."""
NINE: tuple[Point, ...] = (*FIVE, (0.5, 0.1), (0.1, 0.5), (0.9, 0.5), (0.5, 0.9))
TWO: tuple[Point, ...] = ((0.25, 0.5), (0.75, 0.5))
FRESH: tuple[Point, ...] = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))
"""Validation points that no layout above calibrates on."""
SPARE: tuple[Point, ...] = ((0.5, 0.8), (0.2, 0.5), (0.8, 0.5), (0.5, 0.2), (0.35, 0.6), (0.65, 0.4))
"""Taken in place of a validation point that a list of one's own calibrates on."""

EDGE_DEG = 1.5
"""Targets stay this far inside the screen's edge."""


class Acceptance(str, Enum):
    """Who says that the annotator looks at the target."""

    STABLE_GAZE = "stable gaze"
    ANNOTATOR_KEY = "annotator's key"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Profile:
    """One way of calibrating. Sizes in degrees of visual angle, times in seconds.

    stable_wait_s: how long a stable look is waited for before the point counts as failed (keys and operators wait
    `person_wait_s`). validation_s: how long a validation point is looked at (at least 1 s at 60 Hz and below).
    dispersion_deg None: no limit (nystagmus). collect_limit_s: the Tobii SDK answers
    within 10 s; whoever has not answered then will not.
    """

    name: str
    points: tuple[Point, ...] = FIVE
    eyes: Eyes = Eyes.BOTH
    outer_deg: float = 0.6
    inner_deg: float = 0.1
    travel_s: float = 0.5
    shrink_s: float = 0.5
    rest_s: float = 0.5
    gap_s: float = 0.1
    acceptance: Acceptance = Acceptance.STABLE_GAZE
    window_ms: float = 200.0
    min_valid: float = 0.8
    dispersion_deg: float | None = 1.0
    stable_wait_s: float = 3.0
    person_wait_s: float = 30.0
    collect_limit_s: float = 10.5
    validation_s: float = 0.5
    has_sound: bool = False

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a calibration needs at least one point")
        if len(set(self.points)) != len(self.points):
            raise ValueError(f"calibration points must differ, got {self.points}")
        if any(not (0.0 <= v <= 1.0) for point in self.points for v in point):
            raise ValueError(f"calibration points must lie in 0-1 of the display area, got {self.points}")


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("adult"),
        Profile(
            "child",
            points=TWO,
            outer_deg=2.5,
            inner_deg=0.5,
            travel_s=1.0,
            acceptance=Acceptance.OPERATOR,
            dispersion_deg=2.0,
            stable_wait_s=10.0,
            has_sound=True,
        ),
        Profile("low vision", outer_deg=2.0, inner_deg=0.4, travel_s=1.0, rest_s=1.5, stable_wait_s=6.0),
        Profile(
            "nystagmus", outer_deg=2.0, inner_deg=0.4, travel_s=1.0, rest_s=2.0, dispersion_deg=None, validation_s=2.0
        ),
        Profile("left eye", eyes=Eyes.LEFT),
        Profile("right eye", eyes=Eyes.RIGHT),
    )
}


def profile_of(name: str, *, n_points: int | None = None, points: tuple[Point, ...] = ()) -> Profile:
    """A profile by name, with 2, 5 or 9 points or a list of one's own.

    Raises:
        UserFacingError: there is no such profile or layout.
    """
    if name not in PROFILES:
        raise UserFacingError(f"There is no calibration profile {name!r}.", f"Known: {', '.join(PROFILES)}.")
    profile = PROFILES[name]
    if points:
        return replace(profile, points=points)
    if n_points is None:
        return profile
    layouts = {2: TWO, 5: FIVE, 9: NINE}
    if n_points not in layouts:
        raise UserFacingError(f"There is no layout of {n_points} points.", "Take 2, 5 or 9, or give the points.")
    return replace(profile, points=layouts[n_points])


def inside_edges(points: tuple[Point, ...], display: Display) -> tuple[Point, ...]:
    """The points, moved inwards where they lie nearer than 1.5 degrees to the screen's edge."""
    per_deg = np.asarray(display.px_per_deg()) / np.asarray(display.size_px)
    margin = np.minimum(EDGE_DEG * per_deg, 0.45)
    moved = np.clip(np.asarray(points, np.float64), margin, 1.0 - margin)
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in moved)


def in_order(points: tuple[Point, ...], seed: int) -> tuple[int, ...]:
    """The order of showing: the point nearest the centre first, the others at random."""
    centre_first = int(np.argmin(np.linalg.norm(np.asarray(points) - 0.5, axis=1)))
    others = [index for index in range(len(points)) if index != centre_first]
    return (centre_first, *(int(i) for i in np.random.default_rng(seed).permutation(others)))


def fresh_points(calibrated: tuple[Point, ...], *, n: int = 4, apart: float = 0.04) -> tuple[Point, ...]:
    """Validation points on none of which the tracker was calibrated."""
    taken = np.asarray(calibrated, np.float64).reshape(-1, 2)
    free = [
        point
        for point in (*FRESH, *SPARE)
        if not len(taken) or np.linalg.norm(taken - np.asarray(point), axis=1).min() >= apart
    ]
    return tuple(free[:n])
