"""Open any image file that Sightline understands, by its content first and its name second."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from domain.errors import BadFileError
from domain.pixels import ImagePixels
from storage.image_reader import SNIFF_BYTES, ImageReader, image_readers


def read_image(path: Path | str) -> ImagePixels:
    """The pixels of an image file; the file is never altered.

    Raises:
        BadFileError: missing, unreadable, truncated, or of a kind that no reader knows.
    """
    file = Path(path)
    reader = reader_for(file)
    return _read(file, reader.read)


def read_slice(path: Path | str, slice_index: int) -> ImagePixels:
    """One slice of an image file, without reading the others where the format allows it.

    Raises:
        BadFileError: as `read_image`, or the file has no such slice.
    """
    file = Path(path)
    reader = reader_for(file)
    return _read(file, lambda opened: reader.read_slice(opened, slice_index))


def _read(file: Path, read: Callable[[Path], ImagePixels]) -> ImagePixels:
    try:
        return read(file)
    except OSError as problem:
        raise BadFileError(
            f"{file} cannot be read: {problem.strerror or problem}.", "Check that the file is there and is whole."
        ) from problem


def reader_for(path: Path | str) -> ImageReader:
    """The reader of a file.

    Raises:
        BadFileError: the file is missing, empty or foreign.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            head = opened.read(SNIFF_BYTES)
    except OSError as problem:
        raise BadFileError(
            f"{file} cannot be opened: {problem.strerror or problem}.", "Check the path and its permissions."
        ) from problem
    if not head:
        raise BadFileError(f"{file} is empty.", "Copy the file again from where it came.")
    readers = [image_readers.get(name) for name in image_readers]
    for reader in readers:
        if reader.recognises(head):
            return reader
    for reader in readers:
        if file.name.lower().endswith(reader.suffixes):
            return reader
    raise BadFileError(
        f"{file} is not an image that Sightline opens.", "Use JPEG, PNG, TIFF, BMP, DICOM or NIfTI files."
    )


def is_image_name(name: str) -> bool:
    """Whether a file name ends like an image that some reader opens."""
    return name.lower().endswith(tuple(suffix for n in image_readers for suffix in image_readers.get(n).suffixes))


def stem_of(path: Path | str) -> str:
    """The file's name without its ending, `.nii.gz` counted as one."""
    name = Path(path).name
    for ending in (".nii.gz",):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem if is_image_name(name) else name


def sha256_of(path: Path | str) -> str:
    """Hash of a file's bytes, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as opened:
        for block in iter(lambda: opened.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
