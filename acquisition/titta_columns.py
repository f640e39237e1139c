"""TittaPy's dictionaries of columns as our rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.tobii_words import plain
from domain.gaze import LEFT, RIGHT, SAMPLE_RECORD


def gaze_rows(found: Mapping[str, Any]) -> NDArray[np.void]:
    """TittaPy's dictionary of columns as rows of `SAMPLE_RECORD`; columns it does not have stay invalid."""
    n = len(found["device_time_stamp"])
    rows = np.zeros(n, SAMPLE_RECORD)
    rows["device_us"] = found["device_time_stamp"]
    rows["system_us"] = found["system_time_stamp"]
    for name in ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm"):
        rows[name] = np.nan
    for eye, side in ((LEFT, "left"), (RIGHT, "right")):
        for number, axis in enumerate("xyz"):
            if number < 2:
                rows["gaze_norm"][:, eye, number] = found[f"{side}_gaze_point_on_display_area_{axis}"]
            rows["gaze_mm"][:, eye, number] = _either(found, f"{side}_gaze_point_in_user_coordinates_{axis}")
            rows["origin_mm"][:, eye, number] = _either(found, f"{side}_gaze_origin_in_user_coordinates_{axis}")
        rows["pupil_mm"][:, eye] = found[f"{side}_pupil_diameter"]
        rows["gaze_valid"][:, eye] = found[f"{side}_gaze_point_valid"]
        rows["origin_valid"][:, eye] = found[f"{side}_gaze_origin_valid"]
        rows["pupil_valid"][:, eye] = found[f"{side}_pupil_valid"]
        if f"{side}_eye_openness_valid" in found:
            rows["openness_mm"][:, eye] = found[f"{side}_eye_openness_diameter"]
            rows["openness_valid"][:, eye] = found[f"{side}_eye_openness_valid"]
    return rows


def _either(found: Mapping[str, Any], name: str) -> Any:  # Any: a column of TittaPy
    """A column under its name of today or of earlier versions."""
    return found[name] if name in found else found[name.replace("user_coordinates", "user_coordinate_system")]


def rows_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One dictionary per entry, of JSON values."""
    names = list(columns)
    return [
        {name: plain(value) for name, value in zip(names, values, strict=True)}
        for values in zip(*(columns[name] for name in names), strict=True)
    ]
