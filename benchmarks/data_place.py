"""Where the real recordings and images are."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_place(*parts: str) -> Path:
    """A folder of the development data; leaves with exit code 3 where it is absent."""
    root = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    place = root.joinpath(*parts)
    if not place.exists():
        print(f"NOT MEASURED: {place} is not there (set SIGHTLINE_DATA).")
        sys.exit(3)
    return place
