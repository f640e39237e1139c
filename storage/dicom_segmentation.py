"""DICOM segmentation objects beside their source images (highdicom)."""

from __future__ import annotations

import hashlib
import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from domain.errors import BadFileError, MissingPackageError
from domain.version import VERSION
from storage.image_readers.dicom import read_dataset

# SNOMED CT codes of what is segmented; a target without a code is "Tissue".
_TYPES = {"polyp": ("41329004", "Polyp"), "prostate": ("41216001", "Prostate")}
_CATEGORIES = {
    "polyp": ("49755003", "Morphologically Abnormal Structure"),
    "prostate": ("123037004", "Anatomical Structure"),
}


@dataclass(frozen=True)
class Segment:
    """One thing that is segmented. is_manual: a person drew or accepted it; otherwise it came from gaze."""

    label: str
    is_manual: bool


def write_segmentation(
    target: Path, sources: Sequence[Path], stack: NDArray[np.generic], segments: Sequence[Segment], *, uid_of: str
) -> None:
    """Write masks or probabilities of all frames of a DICOM file, or of all slices of a series, as one object.

    sources: one file, or the files of one series in the order of the stack; each frame of the object refers to its own.
    stack: (S, H, W, n_segments); booleans give BINARY, floats of 0-1 give FRACTIONAL PROBABILITY of 0 to 255.
    uid_of: text that the object's UIDs follow from, so that a second export gives the same object.

    Raises:
        MissingPackageError: highdicom is not installed.
        BadFileError: the source lacks what a segmentation must repeat.
    """
    try:
        hd: Any = importlib.import_module("highdicom")  # an optional package
    except ImportError as problem:
        raise MissingPackageError(
            "DICOM segmentations need the package highdicom.", "Install it with: pip install 'sightline[exports]'"
        ) from problem
    codes: Any = importlib.import_module("pydicom.sr.coding")
    datasets = [_completed(read_dataset(source, with_pixels=len(sources) == 1), source) for source in sources]
    source, dataset = sources[0], datasets[0]
    is_binary = stack.dtype == np.bool_
    descriptions = [_description(hd, codes, number, segment) for number, segment in enumerate(segments, start=1)]
    with warnings.catch_warnings():
        # highdicom passes on what pydicom says about values of the source image; the masks are not affected.
        warnings.simplefilter("ignore")
        try:
            segmentation = hd.seg.Segmentation(
                source_images=datasets,
                pixel_array=stack.astype(np.uint8) if is_binary else stack.astype(np.float32),
                segmentation_type="BINARY" if is_binary else "FRACTIONAL",
                segment_descriptions=descriptions,
                series_instance_uid=_uid("series", uid_of),
                series_number=int(dataset.get("SeriesNumber") or 1) + 1000,
                sop_instance_uid=_uid("instance", uid_of),
                instance_number=1,
                manufacturer="Sightline",
                manufacturer_model_name="Sightline",
                software_versions=VERSION,
                device_serial_number="none",
                omit_empty_frames=bool(stack.any()),
                max_fractional_value=255,
                series_description="Sightline segmentation" if is_binary else "Sightline gaze map",
            )
            segmentation.save_as(target)
        except (AttributeError, ValueError, TypeError, KeyError) as problem:
            raise BadFileError(
                f"No segmentation can be written for {source}: {problem}.", "The file lacks attributes that it needs."
            ) from problem


def _completed(dataset: Dataset, source: Path) -> Dataset:
    # Type 2 attributes may be empty but must be there; de-identified files often lost them.
    for name in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        if name not in dataset:
            setattr(dataset, name, "")
    for name in ("StudyDate", "StudyTime", "ReferringPhysicianName"):
        if name not in dataset:
            setattr(dataset, name, "")
    if not dataset.get("StudyInstanceUID") or not dataset.get("SeriesInstanceUID"):
        raise BadFileError(f"{source} has no study or series UID.", "Import the original file again.")
    return dataset


def _description(hd: Any, codes: Any, number: int, segment: Segment) -> Any:
    kind = _TYPES.get(segment.label.lower(), ("85756007", "Tissue"))
    category = _CATEGORIES.get(segment.label.lower(), ("85756007", "Tissue"))
    algorithm = None
    if not segment.is_manual:
        family = codes.Code("123109", "DCM", "Manual Processing")
        algorithm = hd.AlgorithmIdentificationSequence(name="Sightline gaze", version=VERSION, family=family)
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.label[:64],
        segmented_property_category=codes.Code(category[0], "SCT", category[1]),
        segmented_property_type=codes.Code(kind[0], "SCT", kind[1]),
        algorithm_type="MANUAL" if segment.is_manual else "SEMIAUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=_uid("tracking", f"{segment.label}{number}"),
        tracking_id=segment.label[:64],
    )


def _uid(kind: str, text: str) -> UID:
    digest = hashlib.sha256(f"sightline-seg|{kind}|{text}".encode()).hexdigest()
    return UID(f"2.25.{int(digest[:32], 16)}")
