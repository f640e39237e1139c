"""Maps (heatmap, refined map, probability) as 16-bit grey PNG with the parameters that made them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from domain.errors import BadFileError
from storage.atomic_write import write_atomically
from storage.image_reader import DECODER_FAILURES
from storage.png_text import chunk_with, values_in

_FAILURES: tuple[type[Exception], ...] = (*DECODER_FAILURES, Image.DecompressionBombError)


def write_map(path: Path | str, map_01: NDArray[np.floating], parameters: Mapping[str, object]) -> None:
    """Write a map (H, W) of values in 0-1; what lies outside is clipped, NaN becomes 0.

    The stored value is round(65535 x value): at most 7.7e-6 away from the original.
    """
    values = np.asarray(map_01)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a map needs shape (H, W), got {values.shape}")
    scaled = np.rint(np.clip(np.nan_to_num(values.astype(np.float64), nan=0.0), 0, 1) * 65535).astype(np.uint16)
    with write_atomically(path, suffix=".png") as temporary:
        Image.fromarray(scaled).save(temporary, format="PNG", pnginfo=chunk_with(parameters), compress_level=3)


def read_map(path: Path | str) -> tuple[NDArray[np.float32], dict[str, object]]:
    """The map (H, W) float32 in 0-1 and its parameters; 8-bit greys of other programs are read too.

    Raises:
        BadFileError: missing, truncated or not a grey picture.
    """
    try:
        with Image.open(path) as picture:
            parameters = values_in(picture)
            deep = picture.mode.startswith("I")
            values = np.array(picture if deep else picture.convert("L"))
    except _FAILURES as problem:
        raise BadFileError(f"{path} cannot be read as a map: {problem}.", "Make the labels again.") from problem
    return np.asarray(values.astype(np.float32) / np.float32(65535 if deep else 255)), parameters
