"""Synthetic DICOM series with one file per slice, lying obliquely in the patient, for tests."""

from pathlib import Path

import numpy as np

from storage.dicom_geometry import normal_of
from tests.unit.storage.test_image_file import dicom_file

SIZE = (24, 20)  # width, height
# Rows and columns turned about two axes: no direction of the slice is one of the patient's.
_A, _B = np.deg2rad(20.0), np.deg2rad(-35.0)
ROWS = np.array([np.cos(_A), np.sin(_A), 0.0])
COLUMNS = np.array([-np.sin(_A) * np.cos(_B), np.cos(_A) * np.cos(_B), np.sin(_B)])
ORIENTATION = [float(f"{value:.10g}") for value in (*ROWS, *COLUMNS)]
SPACING = (0.8, 0.6)  # between rows, between columns
STEP = 2.5
ORIGIN = np.array([-31.0, 12.5, 140.0])
SERIES = "1.2.840.99.7.1"


def plane(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Pixels that tell which slice they are of and where."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    return (100 * number + rows * 2 + columns).astype(np.uint16)


def position_of(number: float) -> np.ndarray:
    return ORIGIN + number * STEP * normal_of(ORIENTATION)


def write_slice(path: Path, number: int, *, at: float | None = None, pixels: np.ndarray | None = None, **more: object):
    """One slice of the series; `at` is its place in steps, else its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts: dict[str, object] = {
        "Modality": "MR",
        "PatientName": "Zebedee^Jane",
        "PatientID": "Zebedee",
        "StudyInstanceUID": "1.2.840.99.7",
        "SeriesInstanceUID": SERIES,
        "FrameOfReferenceUID": "1.2.840.99.7.2",
        "StudyDate": "20200102",
        "StudyTime": "101112",
        "InstanceNumber": number + 1,
        "SliceThickness": 4,  # not what the slices are apart
        "ImageOrientationPatient": ORIENTATION,
        "ImagePositionPatient": [float(f"{v:.10g}") for v in position_of(number if at is None else at)],
        "PixelSpacing": list(SPACING),
    }
    facts = {name: value for name, value in (facts | more).items() if value is not None}
    return dicom_file(path, plane(number) if pixels is None else pixels, **facts)


def write_series(folder: Path, n: int = 8, *, seed: int = 3, prefix: str = "", **more: object) -> list[Path]:
    """A series whose file names are in another order than its slices; paths in the slices' order."""
    names = np.random.default_rng(seed).permutation(n)
    return [write_slice(folder / f"{prefix}IM{names[k]:04d}.dcm", k, **more) for k in range(n)]
