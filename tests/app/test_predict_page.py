"""The page that predicts: what it offers without a model, and what becomes of a model's mask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.app.stage_walk import visible_texts
from workflows.predict_masks import MODEL_AUTHOR, PredictedImage
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
    page.correct()
    assert window.current_screen == "correct"
    desk = window.services.desk
    assert desk.mask((first, target)).sum() == 200
    assert study.mask(first, window.services.annotator, target) is None  # nothing counts before it is accepted
    desk.undo()
    assert not desk.mask((first, target)).any()


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
