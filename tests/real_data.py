"""Where the real recordings and images for tests are, and how tests skip without them."""

import os
from pathlib import Path

import pytest


def real_data(*parts: str) -> Path:
    """A path in the folder of real data; skips the test with the reason where it is not there."""
    root = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data are not there: {path} (set SIGHTLINE_DATA)")
    return path
