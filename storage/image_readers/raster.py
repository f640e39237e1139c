"""JPEG, PNG, TIFF, BMP and WebP: EXIF orientation applied, 16 bits kept."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from domain.errors import BadFileError
from domain.pixels import ImagePixels
from storage.image_reader import DECODER_FAILURES, image_readers, no_such_slice

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*", b"BM")
_FAILURES: tuple[type[Exception], ...] = (*DECODER_FAILURES, cv2.error, Image.DecompressionBombError)
MAX_PIXELS = 200_000_000  # a header may promise any size; the memory would be gone before the pixels are missed
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")


class RasterReader:
    """Reads the common picture formats with Pillow, and colour with more than 8 bits with OpenCV."""

    suffixes: tuple[str, ...] = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")

    def recognises(self, head: bytes) -> bool:
        """Whether the file begins like one of the picture formats."""
        # A DICOM file may carry a TIFF header in its free preamble (dual-personality files).
        is_dicom = head[128:132] == b"DICM"
        return not is_dicom and (head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"))

    def read(self, path: Path) -> ImagePixels:
        """All frames of the picture.

        Raises:
            BadFileError: truncated, not a picture, or frames of different sizes.
        """
        try:
            if _is_deep_colour_png(path):
                return ImagePixels(_deep_colour(path)[None])
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise _broken(path, f"it says it has more than {MAX_PIXELS / 1e6:.0f} million pixels")
                if picture.mode.startswith("RGB") and _bits_per_channel(picture) > 8:
                    return ImagePixels(_deep_colour(path)[None])
                frames = [_frame(ImageOps.exif_transpose(page)) for page in _pages(picture)]
        except UnidentifiedImageError as problem:
            if path.suffix.lower() in (".tif", ".tiff"):  # Pillow has no mode for 16-bit colour
                return ImagePixels(_deep_colour(path)[None])
            raise _broken(path, "it is not a picture") from problem
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as problem:
            raise _broken(path, "it says it has more than 89 million pixels") from problem
        except _FAILURES as problem:
            if isinstance(problem, (BadFileError, FileNotFoundError)):
                raise
            raise _broken(path, str(problem)) from problem
        if len({frame.shape for frame in frames}) != 1:
            raise _broken(path, "its pages have different sizes")
        return ImagePixels(np.stack(frames))

    def read_slice(self, path: Path, slice_index: int) -> ImagePixels:
        """One page; all are read, as pages of pictures are few."""
        pixels = self.read(path)
        if not 0 <= slice_index < pixels.n_slices:
            raise no_such_slice(path, slice_index, pixels.n_slices)
        return pixels.one_slice(slice_index)


image_readers.register("raster")(RasterReader())


def _pages(picture: Image.Image) -> list[Image.Image]:
    if picture.format != "TIFF" or getattr(picture, "n_frames", 1) == 1:
        return [picture]
    return [page.copy() for page in ImageSequence.Iterator(picture)]


def _frame(page: Image.Image) -> NDArray[np.generic]:
    if page.mode.startswith("I;16"):
        return np.array(page).astype(np.uint16)
    if page.mode in _GREY_MODES:
        grey = page.convert("L") if page.mode in ("1", "LA", "La") else page
        values = np.array(grey)
        # Pillow opens some 16-bit greys in its 32-bit mode.
        if values.dtype == np.int32 and values.min() >= 0 and values.max() <= 65535:
            return values.astype(np.uint16)
        return values
    return np.array(page.convert("RGB"))


def _bits_per_channel(picture: Image.Image) -> int:
    tags = getattr(picture, "tag_v2", {})
    return int(max(tags.get(258, (8,))))  # TIFF tag BitsPerSample


def _is_deep_colour_png(path: Path) -> bool:
    with path.open("rb") as opened:
        head = opened.read(26)
    # Bytes 24 and 25 of a PNG: bit depth and colour type (2 = RGB, 6 = RGBA).
    return head.startswith(b"\x89PNG") and len(head) == 26 and head[24] == 16 and head[25] in (2, 6)


def _deep_colour(path: Path) -> NDArray[np.generic]:
    # imdecode from memory: cv2.imread cannot open non-ASCII paths on Windows.
    try:
        decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except _FAILURES as problem:
        raise _broken(path, str(problem).splitlines()[0]) from problem
    if decoded is None:
        raise _broken(path, "it cannot be decoded")
    if decoded.ndim == 2:
        return np.asarray(decoded)
    return np.ascontiguousarray(decoded[:, :, 2::-1])


def _broken(path: Path, why: str) -> BadFileError:
    return BadFileError(f"{path} cannot be read as a picture: {why}.", "The file may be truncated; copy it again.")
