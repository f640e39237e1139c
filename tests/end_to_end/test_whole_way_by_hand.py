"""From a new study of real images to predictions, as a person does it: a window, keys, a mouse, and nothing else.

The gaze is SIMULATED, since nobody sits before the screen; all else is what a person would do. It takes some minutes,
so it runs with the slow tests. SIGHTLINE_SHOTS=FOLDER keeps the pictures of each screen. SIGHTLINE_PICTURES=docs/images
goes the same way over synthetic frames and renews the pictures of the documentation: real images stay out of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.study import TrialStatus
from processing.importer import ImportOptions
from storage.session_file import read_session
from storage.study import Study
from tests.end_to_end.person import Person
from tests.end_to_end.virtual_screen import virtual_screen
from tests.real_data import real_data
from workflows.import_images import import_to_folder
from workflows.sample_study import open_sample_study

N_IMAGES, N_LOOKED_AT = 12, 10
SHOWN_IN_DOCS = {"02-new-study", "05-calibration", "07-mask", "09-correct", "10-review"}
SHOWN_IN_DOCS |= {"12-exported", "13-trained", "15-predicted"}

pytestmark = [
    pytest.mark.window,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or not all(map(shutil.which, ("Xvfb", "xdotool"))),
        reason="needs Linux with Xvfb and xdotool (Debian: apt-get install xvfb xdotool openbox)",
    ),
]


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    shots = Path(os.environ.get("SIGHTLINE_SHOTS", tmp_path / "shots"))
    shots.mkdir(parents=True, exist_ok=True)
    with virtual_screen() as display:
        somebody = Person(display, tmp_path / "home", shots)
        yield somebody
        somebody.end()
    pictures = os.environ.get("SIGHTLINE_PICTURES")
    for path in sorted(shots.glob("*.png")) if pictures else ():
        if path.stem not in SHOWN_IN_DOCS:
            continue
        small = Image.open(path).convert("RGB").resize((1440, 810), Image.Resampling.LANCZOS)
        small.save(Path(str(pictures)) / f"way-{path.stem}.jpg", quality=86)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Endoscopy images with their masks, which the simulated eye needs in order to know where to look."""
    folder = tmp_path / "polyps"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    if "SIGHTLINE_PICTURES" in os.environ:
        draw_images(folder)
        return folder
    source = real_data("kvasir-seg")
    for name in sorted(path.name for path in (source / "images").iterdir())[:N_IMAGES]:
        for kind in ("images", "masks"):
            shutil.copy(source / kind / name, folder / kind / name)
    return folder


def draw_images(folder: Path) -> None:
    """The synthetic frames of the sample study as a folder of images and masks."""
    with open_sample_study(folder.parent / "synthetic", n_frames=N_IMAGES) as study:
        frames = [image for image in study.images() if image.mask_path and study.pixels(image.image_id).is_colour]
        for number, image in enumerate(frames[:N_IMAGES], start=1):
            truth = study.ground_truth(image.image_id)
            assert truth is not None
            Image.fromarray(study.pixels(image.image_id).display_u8(0)).save(folder / f"images/frame-{number:02d}.png")
            Image.fromarray(truth.astype(np.uint8) * 255).save(folder / f"masks/frame-{number:02d}.png")


def test_that_a_person_gets_from_images_to_predictions_with_keys_and_mouse(
    person: Person, images: Path, tmp_path: Path
) -> None:
    place = tmp_path / "study"
    make_a_study(person, images, place)
    calibrate(person)
    look_at_ten_images(person, place)
    correct_one(person, place)
    review_all(person, place)
    export_and_open(person, tmp_path / "dataset", tmp_path / "again")
    train_and_use(person)
    predict(person, place)
    assert person.leave() == 0
    assert "Traceback" not in person.told()
    assert not list((place / "sessions").glob("*.journal"))
    sessions = [read_session(path) for path in (place / "sessions").glob("*.h5")]
    assert sum(len(session.trials()) for session in sessions) >= N_LOOKED_AT
    assert all(session.header.is_simulated for session in sessions)


def make_a_study(person: Person, images: Path, place: Path) -> None:
    person.wait_to_read("Continue")  # the sample study opens at the first start
    person.focus()
    person.keys("F11", "ctrl+1", pause_s=1.0)
    person.picture("01-welcome")
    person.click("New study…")
    person.wait_to_read("Make the study")
    person.write("Name", "Polyps by hand")
    person.choose("Images", "Kvasir")
    person.write("From", str(images))
    person.write("Study folder", str(place))
    person.picture("02-new-study")
    person.click("Make the study")
    person.wait(lambda: (place / "study.json").exists(), "no study was made")
    person.wait_to_read("Continue")
    with Study.open(place) as study:
        assert len(study.images()) == N_IMAGES
    time.sleep(1.0)
    person.picture("03-worklist")


def calibrate(person: Person) -> None:
    person.keys("ctrl+3")
    person.click("Connect")
    person.wait_to_read("is ready")
    person.picture("04-tracker")
    person.keys("ctrl+r")
    person.wait_to_read("look at it before you use it")
    time.sleep(0.5)
    person.picture("05-calibration")
    assert person.wait_to_read("Good", "Excellent", "Fair", "Poor") in ("Good", "Excellent", "Fair")
    person.keys("Return")
    person.wait_to_read("Validate")


def look_at_ten_images(person: Person, place: Path) -> None:
    person.keys("ctrl+4")
    person.click("Start")
    person.wait_to_read("Look at each image in two steps")
    person.picture("06-instruction")

    def n_answered() -> int:
        with Study.open(place) as study:
            return sum(t.status in (TrialStatus.DONE, TrialStatus.FLAGGED) for t in study.trials(newest_only=True))

    person.keys("Return")
    has_picture = False
    deadline = time.monotonic() + 600
    while n_answered() < N_LOOKED_AT:
        assert time.monotonic() < deadline, f"{n_answered()} images after ten minutes: {person.read()}"
        text = person.read().lower()
        if "time for a rest" in text or "paused" in text:
            person.keys("Return")
        elif "enter accepts" in text or "accept" in text:
            if not has_picture:
                has_picture = bool(person.picture("07-mask"))
            person.keys("Return", pause_s=0.5)
        else:
            time.sleep(3.0)  # looks
            person.keys("Return", pause_s=0.6)
    leave_the_stage(person)
    person.picture("08-worklist-after")


def leave_the_stage(person: Person) -> None:
    """Escape; twice where the first ends the drift check that is due after so many images."""
    for _ in range(3):
        person.keys("Escape", pause_s=3.0)
        if "continue" in person.read().lower():
            return
    person.wait_to_read("Continue")


def correct_one(person: Person, place: Path) -> None:
    person.keys("ctrl+5")
    person.wait_to_read("Overlay")
    canvas = person.places("ImageCanvas") or [{"x": 500, "y": 300, "width": 800, "height": 600}]
    middle = canvas[0]["x"] + canvas[0]["width"] // 2, canvas[0]["y"] + canvas[0]["height"] // 2
    with Study.open(place) as study:
        before = len(study.mask_versions())
    person.keys("b")
    person.drag((middle[0] - 60, middle[1] - 40), (middle[0] + 60, middle[1] + 40))
    person.picture("09-correct")
    person.keys("ctrl+Return")

    def is_stored() -> bool:
        with Study.open(place) as study:
            return len(study.mask_versions()) > before

    person.wait(is_stored, "the corrected mask was never stored")


def review_all(person: Person, place: Path) -> None:
    person.keys("ctrl+7")
    person.wait_to_read("Accept")
    time.sleep(1.5)
    person.picture("10-review")

    def n_accepted() -> int:
        with Study.open(place) as study:
            return sum(study.accepted_mask(image.image_id, "polyp") is not None for image in study.images())

    for _ in range(N_LOOKED_AT):
        person.keys("a", pause_s=0.8)
    person.wait(lambda: n_accepted() == N_LOOKED_AT, "the masks were never accepted", 30)


def export_and_open(person: Person, out: Path, again: Path) -> None:
    person.keys("ctrl+9")
    person.wait_to_read("What and where")
    person.choose("Format", "GazeMedSeg")
    person.write("New folder", str(out))
    person.keys("Tab")
    person.picture("11-export")
    person.click("Export")
    person.wait(lambda: (out / "train.txt").exists() or (out / "manifest.json").exists(), "nothing was exported")
    person.wait_to_read("Open the folder")
    time.sleep(1.0)
    person.picture("12-exported")
    report = import_to_folder("gazemedseg", out, again, options=ImportOptions())
    assert report.n_images >= N_LOOKED_AT
    with Study.open(again) as study:
        assert len(study.trials()) >= N_LOOKED_AT - 1


def train_and_use(person: Person) -> None:
    person.keys("ctrl+8")
    person.wait_to_read("New run")
    person.click("Train")
    person.wait_to_read("Done. The model is ready.", seconds=900)
    time.sleep(4.0)  # the worker ends, and the table of runs says so
    person.picture("13-trained")
    person.click("Use this model…")
    person.click("Use it")
    person.wait_to_read("is in use.")


def predict(person: Person, place: Path) -> None:
    person.keys("ctrl+0")
    person.wait_to_read("Most doubtful first")
    person.picture("14-predict")
    person.click("Predict")
    person.wait_to_read("Look at the doubtful ones first")
    time.sleep(1.5)
    person.picture("15-predicted")
    with Study.open(place) as study:
        predicted = [version for version in study.mask_versions() if version.annotator == "model"]
        assert len(predicted) >= N_IMAGES - N_LOOKED_AT
        masks = [study.mask(one.image_id, "model", one.target) for one in predicted]
        assert all(mask is not None and mask.dtype == np.bool_ for mask in masks)
    person.click("Look at it and correct")
    person.wait_to_read("Overlay")
    time.sleep(1.0)
    person.picture("16-predicted-correct")
