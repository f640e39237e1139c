"""Drift: how far gaze lies off a dot now, and a correction that can be undone. Raw gaze stays as it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.geometry import ScreenPlane
from domain.calibration import DriftCheck, DriftVerdict, Point, PointQuality, plain
from domain.gaze import GazeSamples

PASS_DEG = 0.5
RECALIBRATE_DEG = 2.0
AFFINE_FROM = 5
"""From this many points on a correction may also stretch and turn; below it only moves."""
RIDGE = 0.05
"""Pull of an affine correction towards a mere translation, in units of one point at the edge of the screen."""
ONE_DOT: tuple[Point, ...] = ((0.5, 0.5),)
FIVE_DOTS: tuple[Point, ...] = ((0.5, 0.5), (0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))


@dataclass(frozen=True)
class DriftSchedule:
    """When a check is due: every N images, every M minutes, and after the person was away."""

    every_images: int = 10
    every_min: float = 20.0
    away_s: float = 10.0

    def why_due(self, *, n_images: int, since_check_s: float, away_s: float) -> str:
        """Why a check is due now, in words; empty if it is not."""
        if away_s >= self.away_s:
            return f"you were away for {away_s:.0f} s"
        if self.every_images and n_images >= self.every_images:
            return f"{n_images} images since the last check"
        if self.every_min and since_check_s >= self.every_min * 60:
            return f"{since_check_s / 60:.0f} minutes since the last check"
        return ""


@dataclass(frozen=True)
class DriftCorrection:
    """An affine map of gaze on the display area, per eye: corrected = matrix[eye] @ (x, y, 1).

    version counts the corrections of a session from 1; 0 changes nothing.
    """

    version: int
    kind: Literal["none", "translation", "affine"]
    matrices: tuple[tuple[tuple[float, ...], ...], ...]
    from_ns: int = 0
    made_at: str = ""

    @classmethod
    def none(cls) -> DriftCorrection:
        """Nothing is corrected."""
        return cls(0, "none", (_IDENTITY, _IDENTITY))

    def corrected(self, samples: GazeSamples, plane: ScreenPlane) -> GazeSamples:
        """New samples from `from_ns` on with the correction; those before, and `samples` itself, stay as they are."""
        if self.kind == "none" or not len(samples):
            return samples
        matrix = np.asarray(self.matrices, np.float64)
        moved = np.einsum("eij,nej->nei", matrix[:, :, :2], samples.gaze_norm) + matrix[:, :, 2]
        late = (samples.time_ns >= self.from_ns)[:, None, None]
        gaze = np.where(late, moved, samples.gaze_norm)
        shift_mm = plane.mm_from_norm(gaze) - plane.mm_from_norm(samples.gaze_norm)
        return replace(samples, gaze_norm=gaze, gaze_mm=samples.gaze_mm + np.where(late, shift_mm, 0.0))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DriftCorrection:
        """The correction from what `as_json` gave."""
        matrices = tuple(tuple(tuple(float(v) for v in row) for row in eye) for eye in values["matrices"])
        return cls(int(values["version"]), values["kind"], matrices, int(values["from_ns"]), str(values["made_at"]))

    def shift_norm(self) -> tuple[float, float]:
        """How far it moves gaze at the middle of the screen, right and down, mean of both eyes; in screens."""
        moved = np.asarray(self.matrices, np.float64) @ (0.5, 0.5, 1.0) - 0.5
        right, down = moved.mean(axis=0)
        return float(right), float(down)

    def as_json(self) -> dict[str, object]:
        """Plain values for a marker or a file."""
        values = plain(asdict(self))
        if not isinstance(values, dict):
            raise TypeError("a correction must become a JSON object")
        return values


_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


class DriftLog:
    """Every correction of a session and whether it was undone: nothing is ever deleted."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, DriftCorrection]] = []
        self._active: list[DriftCorrection] = []

    @property
    def active(self) -> DriftCorrection:
        """The correction in force."""
        return self._active[-1] if self._active else DriftCorrection.none()

    @property
    def entries(self) -> tuple[tuple[str, DriftCorrection], ...]:
        """What was done in order: ("apply" or "undo", correction)."""
        return tuple(self._entries)

    def apply(self, correction: DriftCorrection) -> DriftCorrection:
        """Put a correction in force; it gets the next version."""
        version = 1 + max((entry.version for _, entry in self._entries), default=0)
        numbered = replace(correction, version=version)
        self._entries.append(("apply", numbered))
        self._active.append(numbered)
        return numbered

    def undo(self) -> DriftCorrection:
        """Take the newest correction back; the one that is in force then."""
        if self._active:
            self._entries.append(("undo", self._active.pop()))
        return self.active


def assess(
    points: list[PointQuality], *, made_at: str = "", time_ns: int = 0, reason: str = "", after_images: int = 0
) -> DriftCheck:
    """The verdict on one check: mean over the dots of the length of the mean offset.

    points: figures per dot for left, right and binocular; where the two eyes were never valid together, the eye that
    was seen counts.
    """
    best = [_best(dot) for dot in _by_dot(points)]
    lengths = [
        point.accuracy_mean_deg for point in best if point is not None and math.isfinite(point.accuracy_mean_deg)
    ]
    if not lengths or len(lengths) < len(best):
        verdict, offset = DriftVerdict.NO_DATA, math.nan
    else:
        offset = float(np.mean(lengths))
        verdict = DriftVerdict.PASS
        if max(lengths) > RECALIBRATE_DEG:
            verdict = DriftVerdict.RECALIBRATE
        elif offset > PASS_DEG:
            verdict = DriftVerdict.OFFER
    return DriftCheck(made_at, time_ns, tuple(points), offset, verdict, reason, after_images)


def correction_for(
    looks: list[tuple[Point, GazeSamples]], plane: ScreenPlane, *, from_ns: int = 0, made_at: str = ""
) -> DriftCorrection:
    """The correction that puts the middle of the gaze on the dots: a translation, or an affine map from 5 dots on.

    An eye without data gets the other eye's correction, so that the two do not drift apart.
    """
    found: list[NDArray[np.float64] | None] = []
    for eye in (0, 1):
        pairs = [
            (np.asarray(dot), mean) for dot, samples in looks if (mean := _middle_of_gaze(samples, eye)) is not None
        ]
        found.append(_fit(pairs, plane) if pairs else None)
    left, right = found
    if left is None:
        left = right
    if right is None:
        right = left
    if left is None or right is None:
        return DriftCorrection.none()
    kind: Literal["translation", "affine"] = "affine" if len(looks) >= AFFINE_FROM else "translation"
    matrices = tuple(tuple(tuple(float(v) for v in row) for row in matrix) for matrix in (left, right))
    return DriftCorrection(0, kind, matrices, from_ns, made_at)


def _fit(pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]], plane: ScreenPlane) -> NDArray[np.float64]:
    dots = np.asarray([dot for dot, _ in pairs])
    gaze = np.asarray([mean for _, mean in pairs])
    if len(pairs) < AFFINE_FROM:
        return np.hstack([np.eye(2), (dots - gaze).mean(axis=0)[:, None]])
    # Centred and in millimetres, so that the ridge pulls both axes alike and leaves the translation free.
    size = np.asarray(plane.size_mm)
    centre = gaze.mean(axis=0)
    x = (gaze - centre) * size
    y = (dots - gaze) * size
    mean_y = y.mean(axis=0)
    pull = RIDGE * float((size / 2) @ (size / 2))
    stretch = np.linalg.solve(x.T @ x + pull * np.eye(2), x.T @ (y - mean_y)).T
    linear = np.eye(2) + (stretch * size[None, :]) / size[:, None]
    offset = mean_y / size - (linear - np.eye(2)) @ centre
    return np.hstack([linear, offset[:, None]])


def _middle_of_gaze(samples: GazeSamples, eye: int) -> NDArray[np.float64] | None:
    """The median: a lid that begins to fall pulls the last samples of a look down, and a mean with them."""
    good = samples.gaze_valid[:, eye] & np.isfinite(samples.gaze_norm[:, eye]).all(axis=-1)
    if not good.any():
        return None
    return np.asarray(np.median(samples.gaze_norm[good, eye], axis=0), np.float64)


def _by_dot(points: list[PointQuality]) -> list[list[PointQuality]]:
    dots: dict[Point, list[PointQuality]] = {}
    for point in points:
        dots.setdefault(point.target_norm, []).append(point)
    return list(dots.values())


def _best(dot: list[PointQuality]) -> PointQuality | None:
    for eye in ("binocular", "left", "right"):
        for point in dot:
            if point.eye == eye and point.has_data:
                return point
    return None
