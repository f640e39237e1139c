"""Pictures for other programs: JPEG and PNG as they expect them, without metadata of where they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_KEPT_SEGMENTS = (0xE0, 0xE2, 0xEE)  # JFIF, colour profile, Adobe's colour transform: needed to show the pixels right


def write_jpeg(path: Path, values: NDArray[np.uint8]) -> None:
    """(H, W) or (H, W, 3) as JPEG of the highest quality without colour subsampling."""
    Image.fromarray(values).save(path, format="JPEG", quality=100, subsampling=0)


def write_png(path: Path, values: NDArray[np.generic]) -> None:
    """(H, W) of 8 or 16 bits or (H, W, 3) of 8 bits as PNG."""
    Image.fromarray(values).save(path, format="PNG", compress_level=3)


def copy_jpeg_without_metadata(source: Path, target: Path) -> bool:
    """Copy a JPEG's pixels bit by bit and leave EXIF, comments and the like behind.

    False, and nothing written, where the file is no baseline picture as it lies: not JPEG, to be rotated, or not RGB.
    """
    raw = source.read_bytes()
    if raw[:2] != b"\xff\xd8":
        return False
    try:
        with Image.open(source) as picture:
            if picture.format != "JPEG" or picture.mode != "RGB" or picture.getexif().get(0x0112, 1) != 1:
                return False
            picture.load()
    except OSError:  # broken: whoever reads the pixels next says so in words
        return False
    kept = [b"\xff\xd8"]
    place = 2
    while place + 4 <= len(raw) and raw[place] == 0xFF:
        kind = raw[place + 1]
        length = 2 + int.from_bytes(raw[place + 2 : place + 4], "big")
        if kind == 0xDA:  # the compressed pixels: everything from here on
            kept.append(raw[place:])
            target.write_bytes(b"".join(kept))
            return True
        is_metadata = 0xE0 <= kind <= 0xEF or kind == 0xFE
        if not is_metadata or kind in _KEPT_SEGMENTS:
            kept.append(raw[place : place + length])
        place += length
    return False
