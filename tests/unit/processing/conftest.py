"""Where the real recordings and images are, and samples for detectors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from domain.display import Display
from domain.gaze import GazeSamples


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the development data are not at {folder} (set SIGHTLINE_DATA)")
    return folder


@pytest.fixture
def display() -> Display:
    return Display(size_px=(1920, 1080), size_mm=(531.0, 299.0), distance_mm=650.0)


def make_samples(gaze_norm, time_ns, *, valid=None, segment=None, origin_mm=None, gaze_mm=None, pupil_mm=None):
    """Samples of both eyes at the same place (n, 2), or per eye (n, 2, 2)."""
    gaze_norm = np.asarray(gaze_norm, float)
    if gaze_norm.ndim == 2:
        gaze_norm = np.repeat(gaze_norm[:, None], 2, axis=1)
    n = len(gaze_norm)
    valid = np.isfinite(gaze_norm).all(axis=2) if valid is None else np.asarray(valid, bool)
    missing = np.full((n, 2, 3), np.nan)
    return GazeSamples(
        seq=np.arange(n),
        time_ns=np.asarray(time_ns, np.int64),
        device_us=np.asarray(time_ns, np.int64) // 1000,
        system_us=np.asarray(time_ns, np.int64) // 1000,
        gaze_norm=gaze_norm,
        gaze_mm=missing if gaze_mm is None else gaze_mm,
        origin_mm=missing if origin_mm is None else origin_mm,
        pupil_mm=np.full((n, 2), 3.0) if pupil_mm is None else pupil_mm,
        openness_mm=np.full((n, 2), np.nan),
        gaze_valid=valid,
        origin_valid=valid if origin_mm is not None else np.zeros((n, 2), bool),
        pupil_valid=valid,
        openness_valid=np.zeros((n, 2), bool),
        segment=np.zeros(n, np.int64) if segment is None else np.asarray(segment, np.int64),
    )
