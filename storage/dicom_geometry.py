"""Where a DICOM slice lies in the patient: what its header says, and the matrix of a whole series."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from storage.image_readers.dicom import read_dataset

# What tells one image of a place from another at the same place: echoes, phases, b-values, times.
MARKS = (
    "AcquisitionNumber",
    "EchoTime",
    "EchoNumbers",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "DiffusionBValue",
    "NominalPercentageOfCardiacPhase",
    "InversionTime",
    "ImageType",
    "FrameReferenceTime",
    "AcquisitionTime",
    "ContentTime",
)
SAME_DIRECTION = 1e-3
"""Largest difference between direction cosines of slices of one stack; headers round them differently."""


@dataclass(frozen=True)
class SliceFacts:
    """What a header says of a slice, None where it does not say it or says nonsense.

    position: mm, centre of the first pixel, patient's left, back and head positive. orientation: direction of the rows
    (along which the column number grows), then of the columns. spacing_mm: (between rows, between columns).
    marks: attributes that differ between images of the same place.
    """

    series_uid: str = ""
    sop_uid: str = ""
    modality: str = ""
    kind: tuple[object, ...] = ()
    is_localizer: bool = False
    n_frames: int = 1
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing_mm: tuple[float, ...] | None = None
    slice_location: float | None = None
    slice_thickness: float | None = None
    instance_number: int | None = None
    marks: Mapping[str, str] = field(default_factory=dict)


def slice_facts(header: Dataset) -> SliceFacts:
    """What a header says; nothing in it can make this fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values that break their own rules; they count as not said
        return _facts(header)


def _facts(header: Dataset) -> SliceFacts:
    numbers = _numbers(header, "InstanceNumber", 1)
    frames = _numbers(header, "NumberOfFrames", 1)
    orientation = _numbers(header, "ImageOrientationPatient", 6)
    spacing = _numbers(header, "PixelSpacing", 2)
    location, thickness = _numbers(header, "SliceLocation", 1), _numbers(header, "SliceThickness", 1)
    # Positions of another frame of reference are not comparable.
    kind = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "FrameOfReferenceUID")
    return SliceFacts(
        series_uid=_text(header, "SeriesInstanceUID"),
        sop_uid=_text(header, "SOPInstanceUID"),
        modality=_text(header, "Modality"),
        kind=tuple(_text(header, name) for name in kind),
        is_localizer="LOCALIZER" in _text(header, "ImageType").upper(),
        n_frames=int(frames[0]) if frames else 1,
        position=_numbers(header, "ImagePositionPatient", 3),
        orientation=orientation if orientation and _is_a_plane(orientation) else None,
        spacing_mm=spacing if spacing and min(spacing) > 0 else None,
        slice_location=location[0] if location else None,
        slice_thickness=thickness[0] if thickness and thickness[0] > 0 else None,
        instance_number=int(numbers[0]) if numbers else None,
        marks={name: text for name in MARKS if (text := _text(header, name))},
    )


def read_slice_facts(path: Path) -> SliceFacts:
    """What the header of a file says.

    Raises:
        BadFileError: not DICOM, or truncated.
    """
    return slice_facts(read_dataset(path, with_pixels=False))


def normal_of(orientation: Sequence[float]) -> NDArray[np.float64]:
    """The direction across the slice: rows cross columns, of length 1."""
    normal = np.cross(np.asarray(orientation[:3], np.float64), np.asarray(orientation[3:], np.float64))
    return np.asarray(normal / np.linalg.norm(normal))


def is_same_direction(one: Sequence[float] | None, other: Sequence[float] | None) -> bool:
    """Whether two slices look the same way; two that do not say it count as the same."""
    if one is None or other is None:
        return one is None and other is None
    return bool(np.abs(np.subtract(one, other)).max() <= SAME_DIRECTION)


def affine_of(slices: Sequence[SliceFacts]) -> NDArray[np.float64] | None:
    """The 4 x 4 matrix from voxels (column, row, slice) of a stack to millimetres, as NIfTI has it.

    NIfTI counts to the right, the front and the head, DICOM to the left, the back and the head. The step between slices
    goes from the first to the last position, so that a tilted gantry's shear is kept. None where the headers do not say
    where the slices lie. Source: DICOM PS3.3, C.7.6.2.1.1.
    """
    first, last = slices[0], slices[-1]
    if first.position is None or last.position is None or first.orientation is None or first.spacing_mm is None:
        return None
    if len(slices) > 1:
        step = np.subtract(last.position, first.position) / (len(slices) - 1)
    else:
        step = normal_of(first.orientation) * (first.slice_thickness or 1.0)
    between_rows, between_columns = first.spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(first.orientation[:3]) * between_columns
    affine[:3, 1] = np.asarray(first.orientation[3:]) * between_rows
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return None
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def uneven_steps(positions: Sequence[float]) -> tuple[float, int, int]:
    """Of rising positions (mm): the usual step, how many slices seem to be missing, and how many other steps differ.

    A step differs where it is off by more than 0.02 mm and 2 %; that is above what headers round away.
    """
    steps = np.diff(np.asarray(positions, np.float64))
    if steps.size == 0:
        return 0.0, 0, 0
    usual = float(np.median(steps))
    allowed = max(0.02, 0.02 * usual)
    times = np.rint(steps / usual) if usual > 0 else np.ones_like(steps)
    is_odd = np.abs(steps - usual) > allowed
    is_gap = is_odd & (times >= 2) & (np.abs(steps - times * usual) <= allowed * times)
    return usual, int((times[is_gap] - 1).sum()), int((is_odd & ~is_gap).sum())


def _text(header: Dataset, name: str) -> str:
    try:
        value = header.get(name)
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError, OverflowError):
        return ""
    return "" if value is None else str(value).strip()


def _numbers(header: Dataset, name: str, n: int) -> tuple[float, ...] | None:
    try:
        value = header.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        parts = [value] if n == 1 else list(value)
        numbers = tuple(float(part) for part in parts)
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError, OverflowError):
        return None
    is_good = len(numbers) == n and all(math.isfinite(number) and abs(number) < 1e9 for number in numbers)
    return numbers if is_good else None


def _is_a_plane(orientation: Sequence[float]) -> bool:
    rows, columns = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    return bool(max(abs(lengths[0] - 1), abs(lengths[1] - 1)) < 0.01 and abs(float(rows @ columns)) < 0.01)
