"""The sample study: synthetic endoscopy-like frames with exact masks, and one real CT slice that pydicom ships."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
from pydicom.data import get_testdata_file

from domain.events import CancelToken, OnProgress, Progress, no_progress
from resources.sample_study.frames import synthetic_frame

SAMPLE_NAME = "Sample study (synthetic frames, simulated gaze)"
TARGET_NAME = "polyp"
N_FRAMES = 24
NO_POLYP_EVERY = 8
"""Each eighth frame shows no polyp, so that "No target in this image" is an answer that is needed."""


def draw_sample_images(
    folder: Path,
    *,
    n_frames: int = N_FRAMES,
    first_seed: int = 1,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Draw frames and masks as PNG into folder/images and folder/masks; the same seeds give the same files.

    Raises:
        Cancelled: stopped between two frames.
    """
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(n_frames):
        if cancel is not None:
            cancel.raise_if_cancelled()
        has_polyp = number % NO_POLYP_EVERY != NO_POLYP_EVERY - 1
        frame = synthetic_frame(first_seed + number, has_polyp=has_polyp)
        name = f"synthetic_{number + 1:03d}.png"
        _write_png(folder / "images" / name, frame.image[..., ::-1])
        _write_png(folder / "masks" / name, frame.mask.astype(np.uint8) * 255)
        on_progress(Progress(number + 1, n_frames, "drawing synthetic frames"))


def copy_real_slice(folder: Path) -> Path:
    """Copy the CT slice that comes with pydicom (a public test file, already anonymous) and give its path."""
    source = get_testdata_file("CT_small.dcm", download=False)
    if not isinstance(source, str):
        raise FileNotFoundError("pydicom came without its test file CT_small.dcm")
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, folder / "ct_slice.dcm"))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    # imencode, since imwrite cannot open paths with characters outside the system's code page on Windows.
    done, data = cv2.imencode(".png", pixels)
    if not done:
        raise ValueError(f"{path.name} cannot be encoded")
    path.write_bytes(data.tobytes())
