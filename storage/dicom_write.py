"""Single grey slices as plain DICOM files, for programs that read images as `.dcm` only."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from domain.pixels import ImagePixels
from storage.image_readers.dicom import read_dataset

SECONDARY_CAPTURE = UID("1.2.840.10008.5.1.4.1.1.7")


def copy_or_write_dicom(source: Path, target: Path, pixels: ImagePixels, *, name: str, case: str) -> None:
    """Copy a de-identified single-frame DICOM file as it is, or write the slice as a new one."""
    if source.name.lower().endswith((".dcm", ".dicom", ".ima")):
        header = read_dataset(source, with_pixels=False)
        is_plain = int(header.get("NumberOfFrames", 1) or 1) == 1 and int(header.get("SamplesPerPixel", 1)) == 1
        if is_plain and header.get("PatientIdentityRemoved") == "YES":
            shutil.copyfile(source, target)
            return
    write_grey_dicom(target, pixels, name=name, case=case)


def write_grey_dicom(target: Path, pixels: ImagePixels, *, name: str, case: str) -> None:
    """Write one slice as 16-bit grey; its UIDs follow from the name, so that a second export gives the same file."""
    plane = pixels.values[0]
    grey = np.asarray(pixels.display_u8())[:, :, 0].astype(np.uint16) if pixels.is_colour else None
    stored, slope, intercept = _as_uint16(plane if grey is None else grey)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SECONDARY_CAPTURE
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = _uid("instance", name)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid("study", case or name), _uid("series", case or name)
    dataset.PatientID, dataset.PatientName = case or name, f"{case or name}^"
    dataset.PatientIdentityRemoved = "YES"
    dataset.Modality, dataset.ConversionType = "OT", "WSD"
    dataset.StudyDate = dataset.StudyTime = dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyID = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (
        1,
        "MONOCHROME1" if pixels.is_inverted else "MONOCHROME2",
    )
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    if (slope, intercept) != (1.0, 0.0):
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = f"{slope:.10g}", f"{intercept:.10g}", "US"
    if pixels.window is not None:
        dataset.WindowCenter, dataset.WindowWidth = f"{pixels.window[0]:.10g}", f"{pixels.window[1]:.10g}"
    if pixels.spacing_mm is not None:
        dataset.PixelSpacing = [f"{value:.10g}" for value in pixels.spacing_mm[1:]]
    dataset.PixelData = stored.astype("<u2").tobytes()
    dataset.save_as(target, enforce_file_format=True)


def _as_uint16(plane: NDArray[np.generic]) -> tuple[NDArray[np.uint16], float, float]:
    values = np.asarray(plane, np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    whole = plane.dtype.kind in "iub" or bool(np.all(values == np.rint(values)))
    if whole and low >= 0 and high <= 65535:
        return values.astype(np.uint16), 1.0, 0.0
    if whole and high - low <= 65535:
        return (values - low).astype(np.uint16), 1.0, low
    slope = (high - low) / 65535 or 1.0
    return np.rint((np.nan_to_num(values, nan=low) - low) / slope).astype(np.uint16), slope, low


def _uid(kind: str, name: str) -> UID:
    digest = hashlib.sha256(f"sightline|{kind}|{name}".encode()).hexdigest()
    return UID(f"2.25.{int(digest[:32], 16)}")
