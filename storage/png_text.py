"""PNG files of ours carry what they were made from as JSON in a text chunk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

CHUNK = "sightline"


def chunk_with(values: Mapping[str, object]) -> PngInfo:
    """A PNG text chunk that holds the values as ASCII JSON."""
    information = PngInfo()
    information.add_text(CHUNK, json.dumps(dict(values), sort_keys=True, ensure_ascii=True))
    return information


def values_in(picture: Image.Image) -> dict[str, object]:
    """What `chunk_with` wrote; empty for a picture of another program."""
    text = getattr(picture, "text", {}).get(CHUNK)
    if text is None:
        return {}
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def read_values(path: Path) -> dict[str, object]:
    """The values in a PNG file without decoding its pixels."""
    with Image.open(path) as picture:
        return values_in(picture)
