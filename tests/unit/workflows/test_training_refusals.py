"""What forbids training is refused from the study on, with the reason and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.errors import UserFacingError
from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from domain.study import TrialStatus
from storage.mask_file import read_mask, write_mask
from storage.study import Study
from tests.unit.workflows.test_train_and_predict import _study
from training.config import TrainConfig, preset
from training.finding import refuse_if_fatal
from training.preflight import check
from workflows.command_line import build, run
from workflows.freeze_study import freeze_study, parts_of

Change = Callable[[Study], None]


def _skip_most(study: Study) -> None:
    for trial in study.trials()[2:]:
        study.save_trial(replace(trial, status=TrialStatus.SKIPPED))


def _spoil_an_image(study: Study) -> None:
    path = study.folder / "images" / "i2.png"
    path.write_bytes(path.read_bytes()[:60])


def _copy_into_the_test_part(study: Study) -> None:
    shutil.copy(study.folder / "images" / "i0.png", study.folder / "images" / "i3.png")


def _copies(study: Study) -> None:
    first, *others = [name for name, part in parts_of(study, "polyp").items() if part == "train"]
    for name in others[:4]:
        shutil.copy(study.folder / "images" / f"{first}.png", study.folder / "images" / f"{name}.png")


def _change_maps(study: Study, change: Callable[[np.ndarray], np.ndarray]) -> None:
    for trial in study.trials():
        maps = study.maps(trial.trial_id)
        if maps is not None:
            changed = change(maps.refined).astype(np.float32)
            study.save_maps(trial.trial_id, LabelMaps(maps.heatmap, changed, LabelParameters()))


def _look_away(study: Study) -> None:
    beside = ImageFixations(np.array([[0.5, 0.5], [1.4, 0.5]]), np.array([100.0, 400.0]), np.zeros(2), np.ones(2))
    for trial in study.trials():
        study.save_trial(replace(trial, fixations=beside))


def _invert_masks(study: Study) -> None:
    for path in (study.folder / "masks").glob("truth*.png"):
        write_mask(path, ~read_mask(path)[0], {})


def _shift(values: np.ndarray) -> np.ndarray:
    away = np.zeros_like(values)
    away[:8, :8] = 1
    return away


CASES: list[tuple[str, Change, str, str]] = [
    ("too few images", _skip_most, "Only 2 images have labels", "Record or import more"),
    ("unreadable image", _spoil_an_image, "i2.png", ""),
    ("copies", _copies, "copies of each other", "Remove the copies"),
    ("same picture in train and test", _copy_into_the_test_part, "in several parts", "Remove the copies"),
    ("empty labels", lambda s: _change_maps(s, lambda v: 0.2 * v), "labels are empty", "Lower the thresholds"),
    ("inverted labels", lambda s: _change_maps(s, lambda v: 1 - 0.4 * v), "cover most of their image", "inverted"),
    ("inverted masks", _invert_masks, "what is not mask", "inverted"),
    ("gaze off the images", _look_away, "off the image", "Calibrate again"),
    ("labels of something else", lambda s: _change_maps(s, _shift), "have Dice 0.0", "tracker's accuracy"),
]


def _refusal(study: Study, folder: Path, config: TrainConfig) -> UserFacingError:
    with pytest.raises(UserFacingError) as refused:
        refuse_if_fatal(check(freeze_study(study, folder), config))
    return refused.value


@pytest.mark.parametrize(("change", "reason", "hint"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_that_a_study_that_cannot_be_trained_is_refused_with_the_reason(
    tmp_path: Path, change: Change, reason: str, hint: str
) -> None:
    with _study(tmp_path / "study") as study:
        change(study)
        error = _refusal(study, tmp_path / "snapshot", preset("tiny"))
    assert reason in error.message
    assert hint in error.hint
    assert error.hint


def test_that_patients_in_two_parts_are_refused(tmp_path: Path) -> None:
    with Study.open(_with_cases(tmp_path)) as study:
        error = _refusal(study, tmp_path / "snapshot", preset("tiny"))
    assert "cases (patients) have images in several" in error.message
    assert "Split by case" in error.hint


def _with_cases(folder: Path) -> Path:
    with _study(folder / "first") as first:
        images = [replace(image, case="one") for image in first.images()]
        with Study.create(folder / "study", first.settings) as study:
            for part in ("images", "masks"):
                shutil.copytree(first.folder / part, study.folder / part, dirs_exist_ok=True)
            study.add_images(images)
            study.add_annotator("ann")
            for trial in first.trials():
                study.save_trial(trial)
                maps = first.maps(trial.trial_id)
                if maps is not None:
                    study.save_maps(trial.trial_id, maps)
    return folder / "study"


def test_that_the_command_line_says_the_reason_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _study(tmp_path / "study") as study:
        _look_away(study)
    assert run(build(), ["train", str(tmp_path / "study"), "--preset", "tiny", "--device", "cpu"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "most of the looking time lies off the image" in said
    assert "Calibrate again" in said
