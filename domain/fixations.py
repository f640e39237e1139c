"""Fixations as arrays: on the display as detected, and on an image as labels need them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]


def _check_lengths(value: object, n: int) -> None:
    for field in fields(value):  # type: ignore[arg-type]  # called with our dataclasses only
        column = getattr(value, field.name)
        if isinstance(column, np.ndarray) and len(column) != n:
            raise ValueError(f"{field.name} has {len(column)} rows, expected {n}")


@dataclass(frozen=True)
class Fixations:
    """n fixations in time order, on the display area.

    first, last (n,): index of the first and last sample in the run they were detected in.
    onset_ns, offset_ns (n,): begin and end on the samples' clock, nanoseconds.
    centre_norm (n, 2): mean gaze point on the display area, 0-1.
    dispersion_deg (n,): root mean square distance of the samples from the centre, degrees of visual angle.
    pupil_mm (n,): mean pupil diameter of the eyes in use, NaN where not measured.
    """

    first: Int
    last: Int
    onset_ns: Int
    offset_ns: Int
    centre_norm: Float
    dispersion_deg: Float
    pupil_mm: Float

    def __post_init__(self) -> None:
        _check_lengths(self, len(self.first))

    def __len__(self) -> int:
        return len(self.first)

    @property
    def duration_ms(self) -> Float:
        """Length of each fixation, milliseconds."""
        return np.asarray((self.offset_ns - self.onset_ns) / 1e6, np.float64)


@dataclass(frozen=True)
class ImageFixations:
    """n fixations of one trial on one image: the rows of a GazeMedSeg table.

    xy_norm (n, 2): position on the image, (0, 0) its upper left corner, (1, 1) its lower right; may lie outside.
    duration_ms, start_ms (n,): length, and begin counted from the start of the trial.
    pupil (n,): pupil size in the unit of the tracker (EyeLink: arbitrary; Tobii: mm), NaN where unknown.
    """

    xy_norm: Float
    duration_ms: Float
    start_ms: Float
    pupil: Float

    def __post_init__(self) -> None:
        _check_lengths(self, len(self.duration_ms))
        if self.xy_norm.shape != (len(self.duration_ms), 2):
            raise ValueError(f"xy_norm has shape {self.xy_norm.shape}, expected ({len(self.duration_ms)}, 2)")

    def __len__(self) -> int:
        return len(self.duration_ms)

    @classmethod
    def empty(cls) -> ImageFixations:
        """No fixation."""
        return cls(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0))
