"""One gaze sample packed into 128 bytes, for drivers that get them one by one."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_LAYOUT = struct.Struct("<4q4f6f6f2f2f8?2I")
_OPENNESS = struct.Struct("<2f")
_OPENNESS_AT, _OPENNESS_VALID_AT = 104, 118
_NAN = float("nan")


def set_openness(row: bytearray, values_mm: tuple[float, float], valid: tuple[int, int]) -> None:
    """Put the openness of both eyes into a packed row."""
    _OPENNESS.pack_into(row, _OPENNESS_AT, *values_mm)
    row[_OPENNESS_VALID_AT] = bool(valid[0])
    row[_OPENNESS_VALID_AT + 1] = bool(valid[1])


class SampleRow:
    """A row of `SAMPLE_RECORD` as bytes that is filled again for each sample."""

    def __init__(self) -> None:
        self.packed = bytearray(_LAYOUT.size)

    def pack(
        self,
        device_us: int,
        system_us: int,
        left_norm: Sequence[float],
        right_norm: Sequence[float],
        left_mm: Sequence[float],
        right_mm: Sequence[float],
        left_origin_mm: Sequence[float],
        right_origin_mm: Sequence[float],
        left_pupil_mm: float,
        right_pupil_mm: float,
        left_gaze_valid: int,
        right_gaze_valid: int,
        left_origin_valid: int,
        right_origin_valid: int,
        left_pupil_valid: int,
        right_pupil_valid: int,
    ) -> None:
        """Fill the row; seq, time and segment are the host's. Positional, because it runs for each sample."""
        _LAYOUT.pack_into(
            self.packed,
            0,
            0,
            0,
            device_us,
            system_us,
            *left_norm,
            *right_norm,
            *left_mm,
            *right_mm,
            *left_origin_mm,
            *right_origin_mm,
            left_pupil_mm,
            right_pupil_mm,
            _NAN,
            _NAN,
            left_gaze_valid,
            right_gaze_valid,
            left_origin_valid,
            right_origin_valid,
            left_pupil_valid,
            right_pupil_valid,
            0,
            0,
            0,
            0,
        )
