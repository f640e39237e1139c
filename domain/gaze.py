"""Gaze samples as arrays: what a tracker saw, in the units it reported."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Bool = NDArray[np.bool_]

LEFT, RIGHT = 0, 1

SAMPLE_RECORD = np.dtype(
    [
        ("seq", "<i8"),
        ("time_ns", "<i8"),
        ("device_us", "<i8"),
        ("system_us", "<i8"),
        ("gaze_norm", "<f4", (2, 2)),
        ("gaze_mm", "<f4", (2, 3)),
        ("origin_mm", "<f4", (2, 3)),
        ("pupil_mm", "<f4", (2,)),
        ("openness_mm", "<f4", (2,)),
        ("gaze_valid", "u1", (2,)),
        ("origin_valid", "u1", (2,)),
        ("pupil_valid", "u1", (2,)),
        ("openness_valid", "u1", (2,)),
        ("segment", "<u4"),
        ("flags", "<u4"),
    ]
)
"""One sample in 128 bytes: the same layout in the shared-memory ring, the journal and the session file."""


@dataclass(frozen=True)
class GazeSamples:
    """A run of n binocular samples, oldest first. Eye axis: 0 left, 1 right. Missing values are NaN.

    Shapes and units:
        seq (n,): running number given by the host, without holes unless samples were lost.
        time_ns (n,): capture time on the host's monotonic clock, nanoseconds.
        device_us, system_us (n,): the tracker's own stamps, verbatim, microseconds.
        gaze_norm (n, 2, 2): gaze point on the display area, (0, 0) upper left to (1, 1) lower right.
        gaze_mm (n, 2, 3): gaze point in the tracker's user coordinate system, millimetres.
        origin_mm (n, 2, 3): eye position in the same system, millimetres.
        pupil_mm (n, 2): pupil diameter.  openness_mm (n, 2): distance between the lids.
        gaze_valid, origin_valid, pupil_valid, openness_valid (n, 2): the tracker's validity per kind and eye.
        segment (n,): rises by one at each clock jump or reconnection.
    """

    seq: Int
    time_ns: Int
    device_us: Int
    system_us: Int
    gaze_norm: Float
    gaze_mm: Float
    origin_mm: Float
    pupil_mm: Float
    openness_mm: Float
    gaze_valid: Bool
    origin_valid: Bool
    pupil_valid: Bool
    openness_valid: Bool
    segment: Int

    def __post_init__(self) -> None:
        n = len(self.seq)
        for field in fields(self):
            if len(getattr(self, field.name)) != n:
                raise ValueError(f"{field.name} has {len(getattr(self, field.name))} rows, expected {n}")

    def __len__(self) -> int:
        return len(self.seq)

    def __getitem__(self, rows: slice | Int | Bool) -> GazeSamples:
        """The chosen rows, as samples."""
        return GazeSamples(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def empty(cls) -> GazeSamples:
        """No samples."""
        return cls.from_records(np.zeros(0, SAMPLE_RECORD))

    @classmethod
    def from_records(cls, records: NDArray[np.void]) -> GazeSamples:
        """Samples from rows of `SAMPLE_RECORD`; values flagged invalid become NaN."""
        columns: dict[str, NDArray[np.generic]] = {}
        for field in fields(cls):
            values = records[field.name]
            if field.name.endswith("_valid"):
                columns[field.name] = values.astype(np.bool_)
            elif values.dtype.kind in "iu":
                columns[field.name] = values.astype(np.int64)
            else:
                columns[field.name] = values.astype(np.float64)
        return cls(**columns)  # type: ignore[arg-type]  # the loop above gives each field its type

    def to_records(self) -> NDArray[np.void]:
        """Rows of `SAMPLE_RECORD` (positions and sizes become float32)."""
        records = np.zeros(len(self), SAMPLE_RECORD)
        for field in fields(self):
            records[field.name] = getattr(self, field.name)
        return records

    @classmethod
    def concatenate(cls, parts: list[GazeSamples]) -> GazeSamples:
        """All parts in order, as one run."""
        if not parts:
            return cls.empty()
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})
