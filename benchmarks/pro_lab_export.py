"""Reads the columns of a Tobii Pro Lab export that detection is tested with."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from domain.display import Display
from domain.gaze import GazeSamples
from processing.event import EventKind

KINDS = {
    "Unclassified": EventKind.UNCLASSIFIED,
    "Fixation": EventKind.FIXATION,
    "Saccade": EventKind.SACCADE,
    "EyesNotFound": EventKind.EYES_NOT_FOUND,
}


def read_pro_lab(path: Path):
    """(samples, labels (n,), display, fixation point px (n, 2), event duration ms (n,)) of the eye tracker's rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["Sensor"] == "Eye Tracker"]

    def column(name):
        texts = [row[name].replace(",", ".") for row in rows]
        return np.array([float(text) if text else np.nan for text in texts])

    n = len(rows)
    size_px = (int(rows[0]["Recording resolution width [px]"]), int(rows[0]["Recording resolution height [px]"]))
    device_us = np.array([int(row["Eyetracker timestamp [μs]"]) for row in rows], np.int64)
    norm, point, origin = np.empty((n, 2, 2)), np.zeros((n, 2, 3)), np.empty((n, 2, 3))
    pupil, valid = np.empty((n, 2)), np.empty((n, 2), bool)
    for eye, side in enumerate(("left", "right")):
        for axis, letter in enumerate("XY"):
            norm[:, eye, axis] = column(f"Gaze point {side} {letter} [DACS px]") / size_px[axis]
            point[:, eye, axis] = column(f"Gaze point {side} {letter} [DACS mm]")
        for axis, letter in enumerate("XYZ"):
            origin[:, eye, axis] = column(f"Eye position {side} {letter} [DACS mm]")
        pupil[:, eye] = column(f"Pupil diameter {side} [mm]")
        valid[:, eye] = [row[f"Validity {side}"] == "Valid" for row in rows]
    samples = GazeSamples(
        seq=np.arange(n),
        time_ns=device_us * 1000,
        device_us=device_us,
        system_us=device_us,
        gaze_norm=norm,
        gaze_mm=point,
        origin_mm=origin,
        pupil_mm=pupil,
        openness_mm=np.full((n, 2), np.nan),
        gaze_valid=valid,
        origin_valid=valid,
        pupil_valid=valid,
        openness_valid=np.zeros((n, 2), bool),
        segment=np.zeros(n, np.int64),
    )
    labels = np.array([KINDS[row["Eye movement type"]] for row in rows], np.uint8)
    fixation_px = np.stack([column("Fixation point X [DACS px]"), column("Fixation point Y [DACS px]")], axis=1)
    display = Display(size_px, (530.0, 298.0))
    return samples, labels, display, fixation_px, column("Eye movement event duration [ms]")
