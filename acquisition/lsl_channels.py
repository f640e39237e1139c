"""The channels of a gaze stream on the lab streaming layer: the same names out and in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.gaze import SAMPLE_RECORD

STREAM_TYPE = "Gaze"
SIDES = ("left", "right")

CHANNELS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    *((f"{SIDES[eye]}_gaze_{axis}_norm", "gaze_norm", (eye, i)) for eye in (0, 1) for i, axis in enumerate("xy")),
    *((f"{SIDES[eye]}_gaze_{axis}_mm", "gaze_mm", (eye, i)) for eye in (0, 1) for i, axis in enumerate("xyz")),
    *((f"{SIDES[eye]}_origin_{axis}_mm", "origin_mm", (eye, i)) for eye in (0, 1) for i, axis in enumerate("xyz")),
    *((f"{SIDES[eye]}_pupil_mm", "pupil_mm", (eye,)) for eye in (0, 1)),
    *((f"{SIDES[eye]}_openness_mm", "openness_mm", (eye,)) for eye in (0, 1)),
    *(
        (f"{SIDES[eye]}_{kind}_valid", f"{kind}_valid", (eye,))
        for kind in ("gaze", "origin", "pupil", "openness")
        for eye in (0, 1)
    ),
    ("device_s", "device_us", ()),
)
"""(label, field of `SAMPLE_RECORD`, index in it)."""


def to_channels(rows: NDArray[np.void]) -> NDArray[np.float64]:
    """Rows of `SAMPLE_RECORD` as (n, channels); device stamps in seconds."""
    out = np.empty((len(rows), len(CHANNELS)))
    for number, (label, field, index) in enumerate(CHANNELS):
        place: tuple[Any, ...] = (Ellipsis, *index)  # Any: numpy's index types
        values = rows[field][place]
        out[:, number] = values / 1e6 if label == "device_s" else values
    return out


def from_channels(values: NDArray[np.float64], labels: list[str]) -> NDArray[np.void]:
    """(n, channels) as rows of `SAMPLE_RECORD`; channels that are not there stay invalid."""
    rows = np.zeros(len(values), SAMPLE_RECORD)
    for name in ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm"):
        rows[name] = np.nan
    known = {label: number for number, label in enumerate(labels)}
    for label, field, index in CHANNELS:
        if label in known and label != "device_s":
            column = values[:, known[label]]
            place: tuple[Any, ...] = (Ellipsis, *index)  # Any: as above
            rows[field][place] = column > 0.5 if label.endswith("_valid") else column
    if "left_gaze_valid" not in known:  # streams of others: valid is what is a number
        rows["gaze_valid"] = np.isfinite(rows["gaze_norm"]).all(axis=2)
    return rows
