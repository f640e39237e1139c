"""The sample study: synthetic endoscopy-like frames with exact masks, and one real CT slice that pydicom ships."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.data import get_testdata_file

from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.labels import POLYP
from domain.pixels import ImagePixels
from domain.study import Role, StudyImage, StudySettings, Target
from resources.sample_study.frames import synthetic_frame
from storage.dicom_copy import DicomCopier
from storage.image_file import read_image, sha256_of
from storage.mask_file import write_mask
from storage.study import Study
from workflows.data_folder import data_folder

SAMPLE_NAME = "Sample study (synthetic frames, simulated gaze)"
TARGET = Target("polyp")
ANNOTATOR = "simulated"
N_FRAMES = 24
NO_POLYP_EVERY = 8
"""Each eighth frame shows no polyp, so that "No target in this image" is an answer that is needed."""
TEST_EVERY = 4
"""Each fourth frame is kept out of training."""


def open_sample_study(
    folder: Path | None = None,
    *,
    n_frames: int = N_FRAMES,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> Study:
    """The sample study, made on first use in the user's data folder (or the given one).

    It is drawn beside and then renamed, so that a half-drawn study is never found.

    Raises:
        Cancelled: stopped between two frames; nothing is left.
    """
    place = folder if folder is not None else data_folder() / "sample study"
    if (place / "study.json").exists():
        return Study.open(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=place.parent, prefix=".sample-"))
    try:
        with Study.create(workshop / "study", _settings(), actor="sample study") as study:
            _fill(study, n_frames, on_progress=on_progress, cancel=cancel)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
        (workshop / "study").rename(place)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return Study.open(place)


def _settings() -> StudySettings:
    return StudySettings(name=SAMPLE_NAME, targets=(TARGET,), labels=POLYP, is_simulated=True)


def _fill(study: Study, n_frames: int, *, on_progress: OnProgress, cancel: CancelToken | None) -> None:
    images = []
    for number in range(n_frames):
        if cancel is not None:
            cancel.raise_if_cancelled()
        images.append(_draw(study, number))
        on_progress(Progress(number + 1, n_frames, "drawing synthetic frames"))
    images.append(_copy_real_slice(study))
    study.add_images(images)
    study.add_annotator(ANNOTATOR, Role.ANNOTATOR)


def _draw(study: Study, number: int) -> StudyImage:
    """Draw one frame and its exact mask into the study."""
    has_polyp = number % NO_POLYP_EVERY != NO_POLYP_EVERY - 1
    frame = synthetic_frame(number + 1, has_polyp=has_polyp)
    image_id = f"synthetic_{number + 1:03d}"
    path, mask_path = Path("images") / f"{image_id}.png", Path("masks") / "ground truth" / f"{image_id}.png"
    _write_png(study.folder / path, frame.image)
    (study.folder / mask_path).parent.mkdir(exist_ok=True)
    write_mask(study.folder / mask_path, frame.mask, {"image": image_id, "origin": "drawn with the frame"})
    return StudyImage(
        image_id=image_id,
        path=path.as_posix(),
        size=(frame.image.shape[1], frame.image.shape[0]),
        sha256=sha256_of(study.folder / path),
        case=image_id,
        split="test" if number % TEST_EVERY == TEST_EVERY - 1 else "train",
        mask_path=mask_path.as_posix(),
        origin="synthetic",
    )


def _copy_real_slice(study: Study) -> StudyImage:
    """Copy the CT slice that comes with pydicom: a public, anonymous test file."""
    source = get_testdata_file("CT_small.dcm", download=False)
    if not isinstance(source, str):
        raise FileNotFoundError("pydicom came without its test file CT_small.dcm")
    path = Path("images") / "ct_slice.dcm"
    # Already anonymous; copied like any other slice, so that it carries the marks of a de-identified file.
    DicomCopier(study.folder).copy(Path(source), study.folder / path)
    pixels: ImagePixels = read_image(study.folder / path)
    return StudyImage(
        image_id="ct_slice",
        path=path.as_posix(),
        size=pixels.size,
        sha256=sha256_of(study.folder / path),
        case="ct_slice",
        split="test",
        origin="pydicom test file",
    )


def _write_png(path: Path, rgb: NDArray[np.uint8]) -> None:
    # imencode, since imwrite cannot open paths with characters outside the system's code page on Windows.
    done, data = cv2.imencode(".png", rgb[..., ::-1])
    if not done:
        raise ValueError(f"{path.name} cannot be encoded")
    path.write_bytes(data.tobytes())
