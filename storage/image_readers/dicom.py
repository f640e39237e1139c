"""DICOM: single and multi-frame, grey and colour, with rescale and window; no identifier leaves the reader."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array

from domain.errors import BadFileError
from domain.pixels import ImagePixels
from storage.image_reader import DECODER_FAILURES, MAX_VALUES, image_readers, no_such_slice

_FAILURES: tuple[type[Exception], ...] = (
    *DECODER_FAILURES,
    InvalidDicomError,
    BytesLengthException,
    NotImplementedError,  # a kind of value that the standard does not have
)
_HARMLESS_FACTS = ("Modality", "BodyPartExamined", "BurnedInAnnotation", "PhotometricInterpretation")


class DicomReader:
    """Reads DICOM files with pydicom."""

    suffixes: tuple[str, ...] = (".dcm", ".dicom", ".ima")

    def recognises(self, head: bytes) -> bool:
        """Whether the DICM mark stands after the preamble."""
        return head[128:132] == b"DICM"

    def read(self, path: Path) -> ImagePixels:
        """All frames, with rescale slope and intercept applied.

        Raises:
            BadFileError: truncated, without pixels, or compressed in a way that is not installed.
        """
        return self._read(path, read_dataset(path), None)

    def read_slice(self, path: Path, slice_index: int) -> ImagePixels:
        """One frame; of a file with many, only its bytes are read."""
        header = read_dataset(path, with_pixels=False)
        n_frames = _n_frames(header)
        if not 0 <= slice_index < n_frames:
            raise no_such_slice(path, slice_index, n_frames)
        return self.read(path) if n_frames == 1 else self._read(path, header, slice_index)

    def _read(self, path: Path, dataset: Dataset, frame: int | None) -> ImagePixels:
        with warnings.catch_warnings():
            # pydicom warns about wrong but readable values in real files; the pixels are not affected.
            warnings.simplefilter("ignore")
            try:
                return ImagePixels(
                    values=_values(dataset) if frame is None else _frame(path, dataset, frame),
                    window=_window(dataset),
                    is_inverted=str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1",
                    spacing_mm=_spacing(dataset),
                    meta={name: str(dataset.get(name)) for name in _HARMLESS_FACTS if dataset.get(name)},
                )
            except _FAILURES as problem:
                raise _broken(path, str(problem)) from problem


image_readers.register("dicom")(DicomReader())


def read_dataset(path: Path, *, with_pixels: bool = True) -> Dataset:
    """The header, and the pixels unless told otherwise.

    Raises:
        BadFileError: not a DICOM file, or truncated.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=not with_pixels, force=False)
            dataset.get("Rows")
            return dataset
        except _FAILURES as problem:
            if isinstance(problem, OSError) and not isinstance(problem, EOFError):
                raise
            raise _broken(path, str(problem).split("\n")[0]) from problem


def _values(dataset: Dataset) -> NDArray[np.generic]:
    if "PixelData" not in dataset and "FloatPixelData" not in dataset:
        raise ValueError("it holds no pixels")
    _refuse_too_many(dataset)
    return _as_shown(pixel_array(dataset), dataset)


def _frame(path: Path, header: Dataset, frame: int) -> NDArray[np.generic]:
    _refuse_too_many(header)
    return _as_shown(pixel_array(path, index=frame), header)


def _n_frames(header: Dataset) -> int:
    try:
        return max(1, int(header.get("NumberOfFrames") or 1))
    except _FAILURES:
        return 1


def _refuse_too_many(dataset: Dataset) -> None:
    n_values = float(dataset.get("Rows", 0)) * float(dataset.get("Columns", 0))
    n_values *= float(dataset.get("NumberOfFrames") or 1)
    if n_values > MAX_VALUES:
        raise ValueError(f"it says it has {n_values:.3g} pixels")


def _as_shown(raw: NDArray[np.generic], dataset: Dataset) -> NDArray[np.generic]:
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        raw = _eight_bit(apply_color_lut(raw, dataset))
    if int(dataset.get("SamplesPerPixel", 1)) == 3 or dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        colour = raw if raw.ndim == 4 else raw[None]
        return np.ascontiguousarray(colour)
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    if "ModalityLUTSequence" in dataset or (slope, intercept) != (1.0, 0.0):
        raw = np.asarray(apply_modality_lut(raw, dataset), np.float32)
    return np.ascontiguousarray(raw if raw.ndim == 3 else raw[None])


def _eight_bit(colour: NDArray[np.generic]) -> NDArray[np.generic]:
    return (np.asarray(colour) >> 8).astype(np.uint8) if colour.dtype == np.uint16 else colour


def _window(dataset: Dataset) -> tuple[float, float] | None:
    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if centre is None or width is None or width <= 0 or int(dataset.get("SamplesPerPixel", 1)) == 3:
        return None
    return centre, width


def _spacing(dataset: Dataset) -> tuple[float, float, float] | None:
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if not isinstance(spacing, MultiValue) or len(spacing) != 2:
        return None
    between = _first(dataset.get("SpacingBetweenSlices")) or _first(dataset.get("SliceThickness")) or 1.0
    return between, float(spacing[0]), float(spacing[1])


def _first(value: object) -> float | None:
    try:
        if isinstance(value, MultiValue):
            return float(value[0]) if len(value) else None
        return None if value in (None, "") else float(value)  # type: ignore[arg-type]  # DICOM numbers convert or raise
    except (TypeError, ValueError):
        return None


def _broken(path: Path, why: str) -> BadFileError:
    return BadFileError(f"{path} cannot be read as DICOM: {why}.", "The file may be truncated; export it again.")
