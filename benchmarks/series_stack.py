"""How long people wait for a DICOM series of 300 slices of 512 x 512, one file each (generated).

python -m benchmarks.series_stack
python -m benchmarks.series_stack --quick     30 slices
"""

from __future__ import annotations

import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from benchmarks.figure_table import Figure, arguments, show
from domain.slice_stack import SliceStack
from storage.study import Study
from workflows.export_dataset import export
from workflows.import_images import import_to_folder
from workflows.thumbnails import thumbnail

SIZE = 512


def write_series(folder: Path, n: int) -> None:
    """A generated thorax-like CT, uncompressed, with a rescale as real ones have."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 12, (SIZE, SIZE))
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    for number in range(n):
        body = (rows / 180) ** 2 + (columns / 220) ** 2 < 1
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        uid = UID(f"1.2.840.99.1.{number + 1}")
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.Modality, dataset.PatientID, dataset.PatientName = "CT", "generated", "Generated^"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.840.99.2", "1.2.840.99.3"
        dataset.FrameOfReferenceUID, dataset.InstanceNumber = "1.2.840.99.4", number + 1
        dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.7, 0.7]
        dataset.ImagePositionPatient = [-180, -180, 1.25 * number]
        dataset.Rows = dataset.Columns = SIZE
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.WindowCenter, dataset.WindowWidth = 40, 400
        values = np.where(body, 1060 + noise + 30 * np.sin((rows + number) / 25), 24)
        dataset.PixelData = np.clip(values, 0, 4095).astype("<u2").tobytes()
        # The order of names is not the order of slices.
        dataset.save_as(folder / f"IM{(number * 7919) % n:04d}-{number % 10}.dcm", enforce_file_format=True)


Result = TypeVar("Result")


def timed(what: Callable[[], Result]) -> tuple[float, Result]:
    """Milliseconds, and the result."""
    started = time.perf_counter()
    result = what()
    return 1000 * (time.perf_counter() - started), result


def p95(times: list[float]) -> float:
    return float(np.percentile(times, 95))


def figure(name: str, value: float, unit: str, at_most: float | None = None) -> Figure:
    target = "-" if at_most is None else f"at most {at_most:g} {unit}"
    return Figure(name, f"{value:.3g} {unit}", target, None if at_most is None else value <= at_most)


def opened(study: Study, image_id: str) -> SliceStack:
    """The stack of an image, as the annotation stage opens it: the image is ready to be shown."""
    stack, home = study.stack(image_id)
    if not isinstance(stack, SliceStack) or home is None:
        raise TypeError(f"{image_id} is no slice of a series")
    stack.display_u8(home)
    return stack


def measure(folder: Path, n: int) -> list[Figure]:
    """Import, first slice, scrolling, thumbnails and export of one series."""
    write_series(folder / "in", n)
    import_ms, _ = timed(lambda: import_to_folder("folder", folder / "in", folder / "study"))
    found = [figure(f"import of {n} slices: read, check, de-identify, copy", import_ms / 1000, "s")]
    with Study.open(folder / "study") as study:
        ids = [image.image_id for image in study.images()]
        thumbs = [timed(partial(thumbnail, study, image_id))[0] for image_id in ids[:20]]
        found += scrolled(study, ids)
        tracemalloc.start()
        study.pixels(ids[0]).display_u8()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        found.append(figure("thumbnail of one slice, p95", p95(thumbs), "ms"))
        found.append(figure("memory for the pixels of one slice, peak", peak, "MB", 20))
        export_ms, _ = timed(lambda: export(study, "nifti", folder / "nifti"))
        found.append(figure("export as one NIfTI volume (gzip)", export_ms / 1000, "s"))
    return found


def scrolled(study: Study, ids: list[str]) -> list[Figure]:
    """Opening a stack and scrolling through it, cold and warm."""
    n, middle = len(ids), len(ids) // 2
    open_ms, stack = timed(lambda: opened(study, ids[middle]))
    if stack.n_slices != n:
        raise ValueError(f"the stack has {stack.n_slices} slices of {n}")
    nexts = [timed(partial(opened, study, image_id))[0] for image_id in ids[middle + 1 : middle + 11]]
    cold = [timed(partial(stack.display_u8, number))[0] for number in range(middle)]
    warm = [timed(partial(stack.display_u8, number))[0] for number in range(middle)]
    del stack
    gc.collect()
    whole_ms, stack = timed(lambda: opened(study, ids[0]))
    load_ms, _ = timed(lambda: stack.load(0, reach=n))
    return [
        figure("stack opened at one slice, ready to show", open_ms, "ms", 100),
        figure("the next image of the same stack, p95 of 10", p95(nexts), "ms", 100),
        figure("scroll by a slice that was not read yet, p95", p95(cold), "ms"),
        figure("scroll by a slice that is in memory, p95", p95(warm), "ms"),
        figure("all slices read into memory", (whole_ms + load_ms) / 1000, "s"),
    ]


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "").parse_args()
    n = 30 if options.quick else 300
    with tempfile.TemporaryDirectory() as folder:
        show(f"A series of {n} slices of {SIZE} x {SIZE}", measure(Path(folder), n))


if __name__ == "__main__":
    main()
