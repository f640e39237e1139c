"""The page that predicts: what it offers without a model, and what becomes of a model's mask."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.study import Study
from tests.app.stage_walk import visible_texts
from workflows.doubt import PredictedImage
from workflows.predict_masks import MODEL_AUTHOR
from workflows.sample_study import open_sample_study


def test_that_without_a_model_the_page_leads_to_training(window: Any, tmp_path: Path) -> None:
    window.use_study(open_sample_study(tmp_path / "study", n_frames=3))
    window.navigate("predict")
    assert any("no model yet" in text for text in visible_texts(window))
    window.screen_widget("predict")._empty.button.click()
    assert window.current_screen == "train"


def test_that_the_most_doubtful_prediction_comes_first_and_goes_to_the_desk_as_a_step_that_can_be_undone(
    window: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    study = open_sample_study(tmp_path / "study", n_frames=3)
    target = study.settings.targets[0].name
    first, second = (image.image_id for image in study.images()[:2])
    run = study.folder / "runs" / "001-tiny"
    run.mkdir(parents=True)
    (run / "model.safetensors").write_bytes(b"")  # only its name is read here
    rows = []
    for image_id, uncertainty in ((first, 0.8), (second, 0.1)):
        width, height = study.image(image_id).size
        mask = np.zeros((height, width), np.bool_)
        mask[10:20, 10:30] = True
        study.save_mask(image_id, MODEL_AUTHOR, target, mask, origin="model")
        rows.append({"image_id": image_id, "uncertainty": uncertainty, "area_share": float(mask.mean())})
    (study.folder / "runs" / f"worklist-{target}.json").write_text(json.dumps({"model": "m", "images": rows}))
    window.use_study(study)
    window.navigate("predict")
    page = window.screen_widget("predict")
    wait_until(lambda: page._list.count() == 2)
    assert first in page._list.item(0).text()
    wait_until(lambda: page.pictures.shown is not None)
    page.correct()
    assert window.current_screen == "correct"
    wait_until(lambda: window.screen_widget("correct").place is not None)
    desk = window.services.desk
    assert desk.mask((first, target)).sum() == 200
    assert study.mask(first, window.services.annotator, target) is None  # nothing counts before it is accepted
    desk.undo()
    assert not desk.mask((first, target)).any()


def test_that_enter_opens_no_mask_for_correction_that_is_not_seen_yet(
    window: Any, tmp_path: Path, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_sample_study(tmp_path / "study", n_frames=4)
    target = study.settings.targets[0].name
    run = study.folder / "runs" / "001-tiny"
    run.mkdir(parents=True)
    (run / "model.safetensors").write_bytes(b"")  # only its name is read here
    rows = []
    for number, image in enumerate(study.images()):
        study.save_mask(image.image_id, MODEL_AUTHOR, target, np.ones(image.size[::-1], np.bool_), origin="model")
        rows.append({"image_id": image.image_id, "uncertainty": 1.0 - number / 10, "area_share": 1.0})
    (study.folder / "runs" / f"worklist-{target}.json").write_text(json.dumps({"model": "m", "images": rows}))
    late, may_go, stack = str(rows[2]["image_id"]), threading.Event(), Study.stack

    def slow(of: Study, image_id: str) -> object:
        if image_id == late:
            may_go.wait(20)
        return stack(of, image_id)

    monkeypatch.setattr(Study, "stack", slow)
    window.use_study(study)
    window.navigate("predict")
    page = window.screen_widget("predict")
    wait_until(lambda: page.pictures.shown == (rows[0]["image_id"], target))
    page._list.setCurrentRow(2)
    page.correct()
    assert window.current_screen == "predict"
    assert not window.services.desk.history.state.done
    may_go.set()
    wait_until(lambda: page.pictures.shown == (late, target))
    page.correct()
    assert window.current_screen == "correct"
    assert [edit.place for edit in window.services.desk.history.state.done] == [(late, target)]


def test_that_a_list_of_another_target_than_the_chosen_one_is_not_shown(
    window: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    study = open_sample_study(tmp_path / "study", n_frames=2)
    run = study.folder / "runs" / "001-tiny"
    run.mkdir(parents=True)
    (run / "model.safetensors").write_bytes(b"")  # only its name is read here
    window.use_study(study)
    window.navigate("predict")
    page = window.screen_widget("predict")
    wait_until(lambda: not window.tasks.active)
    image_id, chosen = study.images()[0].image_id, page._target.currentText()
    page._on_predicted((f"not {chosen}", [PredictedImage(image_id, 0.5, 0.1)]))
    assert page._list.count() == 0
    page._on_predicted((chosen, [PredictedImage(image_id, 0.5, 0.1)]))
    assert page._list.count() == 1
