"""Masks as 8-bit PNG of 0 and 255 with a record of who made them, and masks of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps

from domain.errors import BadFileError
from storage.atomic_write import write_atomically
from storage.image_reader import DECODER_FAILURES
from storage.png_text import chunk_with, values_in

_FAILURES: tuple[type[Exception], ...] = (*DECODER_FAILURES, Image.DecompressionBombError)


def write_mask(path: Path | str, mask: ArrayLike, record: Mapping[str, object]) -> None:
    """Write a mask (H, W) of booleans."""
    values = np.asarray(mask)
    if values.ndim != 2 or values.size == 0 or values.dtype != np.bool_:
        raise ValueError(f"a mask needs booleans of shape (H, W), got {values.dtype} {values.shape}")
    with write_atomically(path, suffix=".png") as temporary:
        picture = Image.fromarray(values.astype(np.uint8) * np.uint8(255))
        picture.save(temporary, format="PNG", pnginfo=chunk_with(record))


def read_mask(path: Path | str) -> tuple[NDArray[np.bool_], dict[str, object]]:
    """The mask (H, W) and its record; values above 127 are foreground, or above 0 where the largest value is 1.

    Raises:
        BadFileError: missing, truncated or not a picture.
    """
    try:
        with Image.open(path) as picture:
            record = values_in(picture)
            is_lossy = picture.format == "JPEG"
            upright = ImageOps.exif_transpose(picture)
            # Index pictures store label numbers, not colours: the number is what counts.
            grey = upright if upright.mode in ("L", "P", "I", "I;16") else upright.convert("L")
            values = np.array(grey)
    except _FAILURES as problem:
        raise BadFileError(f"{path} cannot be read as a mask: {problem}.", "The file may be truncated.") from problem
    is_index = not is_lossy and (grey.mode == "P" or int(values.max(initial=0)) == 1)
    threshold = 0 if is_index else (32767 if values.dtype.itemsize > 1 and int(values.max(initial=0)) > 255 else 127)
    return np.asarray(values > threshold), record
