"""DICOM segmentation objects of others: which pixels of which image belong to which segment."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from domain.errors import BadFileError
from storage.image_reader import DECODER_FAILURES, MAX_VALUES
from storage.image_readers.dicom import read_dataset

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_CLASSES = "1.2.840.10008.5.1.4.1.1."
# Reports, presentation states, key objects, raw data, registrations, RT structures and plans, waveforms, documents.
_WITHOUT_PICTURE = ("88.", "11.", "66", "67", "104.", "481.3", "481.5", "481.8", "9.", "4.2")

FrameOf = tuple[str, int]
"""SOP instance UID of an image, and the number of its frame, from 1."""


@dataclass(frozen=True)
class ReadSegmentation:
    """One object. labels: name of each segment. planes: by segment and image; covers: all images it was drawn on."""

    labels: Mapping[int, str]
    planes: Mapping[int, Mapping[FrameOf, NDArray[np.bool_]]]
    covers: frozenset[str]


def sop_class_of(path: Path) -> str:
    """What kind of DICOM object a file holds; "" where it is none or does not say it."""
    try:
        return str(read_dataset(path, with_pixels=False).get("SOPClassUID", "") or "")
    except (BadFileError, OSError):
        return ""


def has_no_picture(sop_class: str) -> bool:
    """Whether objects of this kind hold no image: reports, plans and their like, and segmentations."""
    return sop_class.startswith(_CLASSES) and sop_class[len(_CLASSES) :].startswith(_WITHOUT_PICTURE)


def read_segmentation(path: Path) -> ReadSegmentation | None:
    """A BINARY segmentation; None where it is of another type, which says no yes or no per pixel.

    Raises:
        BadFileError: damaged, or it does not name its images.
    """
    dataset = read_dataset(path)
    if not dataset.get("SegmentationType"):
        raise BadFileError(f"{path} does not say what kind of segmentation it is.", "It may be truncated.")
    if str(dataset.SegmentationType) != "BINARY":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of odd values in real files; the masks are not affected
        try:
            return _read(dataset)
        except DECODER_FAILURES as problem:
            raise BadFileError(f"{path} cannot be read as a segmentation: {problem}.", "Export it again.") from problem


def _read(dataset: Dataset) -> ReadSegmentation:
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    if float(dataset.Rows) * float(dataset.Columns) * n_frames > MAX_VALUES:
        raise ValueError(f"it says it has {n_frames} frames of {dataset.Columns} x {dataset.Rows}")
    frames = pixel_array(dataset)
    frames = frames if frames.ndim == 3 else frames[None]
    labels = {int(one.SegmentNumber): str(one.get("SegmentLabel", "") or "") for one in dataset.SegmentSequence}
    planes: dict[int, dict[FrameOf, NDArray[np.bool_]]] = {number: {} for number in labels}
    shared = dataset.SharedFunctionalGroupsSequence[0] if dataset.get("SharedFunctionalGroupsSequence") else Dataset()
    covers = set()
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        number = int(_group("SegmentIdentificationSequence", groups, shared).ReferencedSegmentNumber)
        source = _group("DerivationImageSequence", groups, shared).SourceImageSequence[0]
        place = (str(source.ReferencedSOPInstanceUID), int(source.get("ReferencedFrameNumber") or 1))
        planes[number][place] = planes[number].get(place, np.False_) | (frame > 0)
        covers.add(place[0])
    for series in dataset.get("ReferencedSeriesSequence") or ():
        covers |= {str(one.ReferencedSOPInstanceUID) for one in series.get("ReferencedInstanceSequence") or ()}
    return ReadSegmentation(labels, planes, frozenset(covers))


def _group(name: str, own: Dataset, shared: Dataset) -> Dataset:
    sequence = own.get(name) or shared.get(name)
    if not sequence:
        raise ValueError(f"a frame has no {name}")
    found: Dataset = sequence[0]
    return found
