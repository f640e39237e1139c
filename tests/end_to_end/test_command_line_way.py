"""From a folder of real images to predicted masks as a person does it: commands only, each in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from storage.study import Study
from tests.real_data import real_data

ROOT = Path(__file__).resolve().parents[2]
N_IMAGES = 6
SMALL = ("--set", "size_px=32", "--set", "features=[4, 8, 8, 8, 8, 8]", "--set", "feature_dim=8", "--set", "batch=4")


class Shell:
    """Runs `sightline` commands and keeps what they said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "SIGHTLINE_HOME": str(folder / "home"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }

    def __call__(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "workflows", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout[-800:]}\n{done.stderr[-2500:]}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with a few real images and masks, taken in, looked at by a simulated annotator, and labelled."""
    source = real_data("kvasir-seg")
    folder = tmp_path_factory.mktemp("way")
    for part in ("images", "masks"):
        (folder / "real" / part).mkdir(parents=True)
    for path in sorted((source / "images").glob("*.jpg"))[:N_IMAGES]:
        for part in ("images", "masks"):
            shutil.copyfile(source / part / path.name, folder / "real" / part / path.name)
    way = Shell(folder)
    said = way("import", "kvasir-seg", "real", "--into", "study", "--preset", "polyp")
    assert f"{N_IMAGES} images, {N_IMAGES} masks" in said
    said = way("record", "study", "--seconds", "4")
    assert "simulated" in said.lower()
    way("labels", "study", "--workers", "1")
    return way


def test_that_gaze_is_recorded_for_every_image_and_called_simulated(shell: Shell):
    with Study.open(shell.folder / "study") as study:
        trials = study.trials()
        assert len(trials) == N_IMAGES
        assert all(trial.is_simulated for trial in trials)
        assert all(study.maps(trial.trial_id) is not None for trial in trials)
    assert list((shell.folder / "study" / "sessions").glob("*.h5"))
    assert not list((shell.folder / "study" / "sessions").glob("*.journal"))


def test_that_the_export_holds_what_the_published_loaders_read(shell: Shell):
    shell("export", "gazemedseg", "study", "--out", "dataset")
    dataset = shell.folder / "dataset"
    names = (dataset / "train.txt").read_text().split() + (dataset / "test.txt").read_text().split()
    assert len(names) == N_IMAGES
    manifest = json.loads((dataset / "manifest.json").read_text())
    assert manifest["is_simulated"] is True
    (table,) = (path for path in dataset.rglob("*.csv") if "fixation" in path.name)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["IMAGE"] for row in rows}) == N_IMAGES
    said = shell("import", "gazemedseg", "dataset", "--into", "again")
    assert f"{N_IMAGES} images" in said


def test_that_a_model_is_trained_and_predicts_masks_of_the_images_size(shell: Shell):
    said = shell("train", "study", "--steps", "4", "--device", "cpu", *SMALL)
    assert "model:" in said
    (model,) = (shell.folder / "study" / "runs").glob("*/model.safetensors")
    shell("predict", str(model), "real/images", "--out", "predicted", "--device", "cpu")
    for path in (shell.folder / "real" / "images").iterdir():
        height, width = cv2.imread(str(path)).shape[:2]
        found = list((shell.folder / "predicted").rglob(f"{path.stem}*.png"))
        assert found, path.name
        mask = cv2.imread(str(found[0]), cv2.IMREAD_UNCHANGED)
        assert mask.shape[:2] == (height, width)
        assert np.isfinite(mask).all()


def test_that_the_study_can_be_checked_and_read_afterwards(shell: Shell):
    assert "6" in shell("study", "show", "study")
    shell("audit", "verify", "study")
    shell("repair", "study")


def test_that_mistakes_are_answered_in_words_and_leave_nothing(shell: Shell):
    for arguments in (
        ("import", "kvasir-seg", "not-there", "--into", "new"),
        ("export", "gazemedseg", "real", "--out", "out"),
        ("predict", "real/images", "study"),
    ):
        said = shell(*arguments, code=2)
        assert "Traceback" not in said
        assert "Error" in said
    assert not (shell.folder / "new").exists()
    assert not (shell.folder / "out").exists()
