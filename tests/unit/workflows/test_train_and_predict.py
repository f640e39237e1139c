from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from domain.errors import BadFileError, UserFacingError
from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from domain.study import Outcome, StudyImage, StudySettings, Target
from domain.trial import TrialRecord
from storage.mask_file import write_mask
from storage.study import Study
from training.config import preset
from training.messages import RunState
from training.run_folder import RunFolder
from workflows.evaluate_model import evaluate_on_test
from workflows.freeze_study import freeze_study
from workflows.model_shelf import activate, active_model, roll_back
from workflows.predict_masks import MODEL_AUTHOR, predict_folder, predict_study, worklist
from workflows.run_comparison import Difference, differences, worst_images
from workflows.train_model import runs_of, train_study

SMALL = {
    "features": [4, 8, 8, 8, 8, 8], "feature_dim": 8, "size_px": 32, "batch": 4, "steps": 4, "threads": 1,
    "evaluate_every": 0, "device": "cpu",
}  # fmt: skip


def _study(folder: Path, n: int = 12) -> Study:
    settings = StudySettings("test", (Target("polyp"),), is_simulated=True)
    study = Study.create(folder, settings)
    (folder / "images").mkdir(exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    images = []
    for number in range(n):
        rng = np.random.default_rng(number)
        rows, columns = np.mgrid[:40, :50]
        centre = rng.uniform((12, 15), (28, 35))
        mask = ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) < 80
        image = rng.normal(100, 10, (40, 50, 3))
        image[mask] += 60
        cv2.imwrite(str(folder / "images" / f"i{number}.png"), np.clip(image, 0, 255).astype(np.uint8))
        write_mask(folder / "masks" / f"truth{number}.png", mask, {})
        split = "test" if number % 4 == 3 else "train"
        images.append(
            StudyImage(
                f"i{number}", f"images/i{number}.png", (50, 40), split=split, mask_path=f"masks/truth{number}.png"
            )
        )
    study.add_images(images)
    study.add_annotator("ann")
    for number, image in enumerate(images):
        truth = study.ground_truth(image.image_id)
        assert truth is not None
        heat = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 3)
        outcome = Outcome.NO_TARGET if number == 0 else Outcome.TARGET
        fixations = ImageFixations(
            np.array([[0.5, 0.5], [1.5, 0.5]]), np.array([300.0, 100.0]), np.zeros(2), np.ones(2)
        )
        study.save_trial(
            TrialRecord(f"t{number}", image.image_id, "ann", "polyp", outcome, fixations=fixations, is_simulated=True)
        )
        if outcome is Outcome.TARGET:
            study.save_maps(f"t{number}", LabelMaps(heat, heat / heat.max(), LabelParameters()))
    return study


def test_that_a_frozen_study_has_maps_masks_splits_and_the_share_of_gaze_off_the_image(tmp_path: Path) -> None:
    with _study(tmp_path / "study") as study:
        snapshot = freeze_study(study, tmp_path / "snapshot")
    assert len(snapshot.items) == 12
    assert len(snapshot.of_split("test")) == 3
    assert len(snapshot.of_split("val")) == 1
    first = next(item for item in snapshot.items if item.item_id == "i0")
    fused = snapshot.fused_map(first)
    assert fused is not None
    assert fused.max() == 0  # the annotator said that there is no target
    assert first.outside_share == pytest.approx(0.25)
    assert first.mask_origin == "reference"
    assert snapshot.is_simulated


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"images": [{"image_id": "i0"}]}', '{"images": [{"image_id": "i0", "uncertainty": null}]}']
)
def test_that_a_damaged_list_of_predictions_is_told_in_words(tmp_path: Path, text: str) -> None:
    with Study.create(tmp_path / "study", StudySettings("test", (Target("polyp"),))) as study:
        (study.folder / "runs" / "worklist-polyp.json").write_text(text)
        with pytest.raises(BadFileError, match="Predict again"):
            worklist(study)


def test_that_a_study_trains_predicts_and_lets_a_model_be_chosen_and_taken_back(tmp_path: Path) -> None:
    with _study(tmp_path / "study") as study:
        model = train_study(study, changes=SMALL)
        assert [(run.state, run.has_model, run.step) for run in runs_of(study)] == [(RunState.DONE, True, 4)]
        found = predict_study(study, model, device="cpu")
        assert len(found) == 12
        assert [one.uncertainty for one in found] == sorted((one.uncertainty for one in found), reverse=True)
        assert study.mask("i1", MODEL_AUTHOR, "polyp") is not None
        assert [one.image_id for one in worklist(study)] == [one.image_id for one in found]
        with pytest.raises(UserFacingError, match="No model is in use"):
            predict_study(study, device="cpu")
        first = activate(study, model)
        assert len(predict_study(study, device="cpu")) == 12, "the model in use predicts where none is named"
        worst = worst_images(model.parent)
        assert len(worst) == 1, "one validation image has a mask"
        assert worst[0].picture.is_file()
        assert active_model(study) == first
        assert roll_back(study) is None
        look = evaluate_on_test(model.parent)
        assert (look.number, len(look.result.scores)) == (1, 3)
        with pytest.raises(UserFacingError, match="tested already"):
            evaluate_on_test(model.parent)
        assert evaluate_on_test(model.parent, again=True).number == 2
        predict_folder(study.folder / "images", tmp_path / "out", model, device="cpu")
    assert len(list((tmp_path / "out" / "masks").glob("*.png"))) == 12
    assert (tmp_path / "out" / "predictions.csv").read_text("utf-8").count("\n") == 13


def test_that_runs_are_compared_by_the_settings_in_which_they_differ(tmp_path: Path) -> None:
    with _study(tmp_path / "study") as study:
        snapshot = freeze_study(study, tmp_path / "snapshot")
    for name, rate in (("a", 0.01), ("b", 0.02)):
        config = preset("tiny", learning_rate=rate, device="cpu" if name == "a" else "auto")
        RunFolder(tmp_path / name).create(config, snapshot.folder, snapshot.digest)
    assert worst_images(tmp_path / "a") == []
    assert differences([tmp_path / "a", tmp_path / "b"]) == [Difference("learning_rate", ("0.01", "0.02"))]
    RunFolder(tmp_path / "c").create(preset("reference"), snapshot.folder, "another")
    found = {one.name: one.values for one in differences([tmp_path / "a", tmp_path / "c"])}
    assert found["antialias"] == ("on", "off")
    assert found["features"][1] == "64, 128, 256, 512, 1024, 128"
    assert "data" in found


def test_that_an_unknown_setting_or_preset_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with _study(tmp_path / "study") as study:
        with pytest.raises(UserFacingError, match="Unknown training setting 'stpes'"):
            train_study(study, changes={"stpes": 3})
        with pytest.raises(UserFacingError, match="no training preset"):
            train_study(study, preset_name="huge")
        with pytest.raises(UserFacingError, match="size_px is 100"):
            train_study(study, changes={"size_px": 100})
        assert runs_of(study) == []
        assert list((study.folder / "runs").glob("*")) == []
