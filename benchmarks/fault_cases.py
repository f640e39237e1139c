"""What a fault case is, and the tools that the cases share: folders on a small or read-only disk, killed programs."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.fixations import ImageFixations
from domain.study import StudyImage, StudySettings, Target
from domain.trial import TrialRecord
from storage.picture_write import write_png
from storage.study import Study

ROOT = Path(__file__).resolve().parents[1]
SIZE = (160, 120)


class CannotRunError(Exception):
    """This machine cannot bring the fault about; the text says why."""


@dataclass(frozen=True)
class Result:
    """One try. lost: things that had been accepted and are not there (samples, trials, masks, files)."""

    survived: bool
    lost: int = 0
    detail: str = ""


@dataclass(frozen=True)
class Case:
    """A fault: what is done, and how often in a full and in a quick run."""

    name: str
    run: Callable[[Path, random.Random], Result]
    tries: int = 20
    quick_tries: int = 2


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own that is soon full.

    Raises:
        CannotRunError: this user may not mount one.
    """
    place = folder / "disk"
    place.mkdir()
    _mount(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)])
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Nothing can be written on a file system of `small_disk` meanwhile."""
    _mount(["mount", "-o", "remount,ro", str(place)])
    try:
        yield
    finally:
        _mount(["mount", "-o", "remount,rw", str(place)])


def _mount(command: list[str]) -> None:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        raise CannotRunError("needs Linux and root, to mount a small tmpfs")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotRunError(f"mount refused: {done.stderr.strip()}")


def fill(place: Path) -> None:
    """Take all room that is left."""
    with contextlib.suppress(OSError), (place / "filler").open("wb") as file:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
                    file.flush()


def program(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python program with the project on its path, whose lines can be read."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines_until_killed(process: subprocess.Popen[str], seconds: float) -> list[str]:
    """Everything the program had said when it was killed, so long after its first line."""
    said = process.stdout
    if said is None:
        raise ValueError("the program has no output to read")
    lines = [said.readline()]
    if not lines[0]:
        raise RuntimeError(f"the program did not begin: {process.stderr.read() if process.stderr else ''}")
    time.sleep(seconds)
    process.kill()
    lines += said.readlines()
    process.wait()
    said.close()
    if process.stderr is not None:
        process.stderr.close()
    # The last line may be cut.
    return [line.strip() for line in lines if line.endswith("\n")]


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def frame(number: int) -> np.ndarray:
    """A picture of nothing in particular."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return np.stack([(rows * 3 + number * 7) % 256, (columns * 2) % 256, (rows + columns) % 256], -1).astype(np.uint8)


def blob(number: int) -> np.ndarray:
    """A round mask, another one for each number."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    return (rows - 40 - number % 40) ** 2 + (columns - 50 - number % 60) ** 2 < 500


def small_study(folder: Path, n_images: int = 6) -> Study:
    """A study with a few pictures and masks of their targets."""
    study = Study.create(folder, StudySettings(name="faults", targets=(Target("polyp"),), is_simulated=True))
    images = []
    for number in range(n_images):
        name = f"picture-{number:03d}"
        write_png(folder / "images" / f"{name}.png", frame(number))
        write_png(folder / "reference" / f"{name}.png", blob(number).astype(np.uint8) * 255)
        split = "train" if number % 3 else "val"
        images.append(
            StudyImage(name, f"images/{name}.png", SIZE, mask_path=f"reference/{name}.png", case=name, split=split)
        )
    study.add_images(images)
    study.add_annotator("anna")
    return study


def trial(number: int, image_id: str) -> TrialRecord:
    """A short read of one image."""
    thirds = np.arange(5) * 300.0
    fixations = ImageFixations(np.full((5, 2), 0.45), duration_ms=thirds + 1, start_ms=thirds, pupil=thirds)
    return TrialRecord(f"trial-{number}", image_id, "anna", "polyp", fixations=fixations, is_simulated=True)
