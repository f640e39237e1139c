"""Where the real recordings and images are, and samples for detectors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from domain.display import Display


@pytest.fixture(scope="session")
def data_folder() -> Path:
    folder = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the development data are not at {folder} (set SIGHTLINE_DATA)")
    return folder


@pytest.fixture
def display() -> Display:
    return Display(size_px=(1920, 1080), size_mm=(531.0, 299.0), distance_mm=650.0)
