"""What an image reader is, and the registry of them: one file per format in storage/image_readers."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Protocol

from domain.errors import BadFileError
from domain.pixels import ImagePixels
from domain.registry import Registry

SNIFF_BYTES = 512

MAX_VALUES = 1 << 30
"""Most pixels or voxels that a file may claim to hold; a small file can claim terabytes."""

DECODER_FAILURES: tuple[type[Exception], ...] = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    MemoryError,
    AssertionError,
    struct.error,
    zlib.error,
    Warning,  # decoders warn about some damage; where warnings are errors, that damage is refused
)
"""What decoders raise on damaged files (found by `benchmarks/fuzz.py`); each becomes an error in words."""


class ImageReader(Protocol):
    """Opens one family of image files."""

    suffixes: tuple[str, ...]

    def recognises(self, head: bytes) -> bool:
        """Whether the first bytes of a file are of this family."""
        ...

    def read(self, path: Path) -> ImagePixels:
        """All pixels of the file.

        Raises:
            BadFileError: the file is truncated or holds no image.
        """
        ...

    def read_slice(self, path: Path, slice_index: int) -> ImagePixels:
        """The same as that slice of `read`, without reading the others where the format allows it.

        Raises:
            BadFileError: as `read`, or there is no such slice.
        """
        ...


def no_such_slice(path: Path, slice_index: int, n_slices: int) -> BadFileError:
    """The error of a reader that was asked for a slice beyond the last."""
    return BadFileError(f"{path} has {n_slices} slices; slice {slice_index} is missing.", "Import it again.")


image_readers: Registry[ImageReader] = Registry("image reader", "storage.image_readers")
