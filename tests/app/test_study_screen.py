"""Setting a study up on the screen: targets, moved images, presets."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workflows.import_images import import_to_folder
from workflows.open_study import open_study
from workflows.study import missing_files


@pytest.fixture
def shown(window, tmp_path: Path):
    source = tmp_path / "pictures"
    for kind in ("images", "masks"):
        (source / kind).mkdir(parents=True)
    rng = np.random.default_rng(5)
    for number in range(4):
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(source / "images" / f"p{number}.png")
        Image.fromarray((rng.random((40, 60)) > 0.5).astype(np.uint8) * 255).save(source / "masks" / f"p{number}.png")
    import_to_folder("kvasir-seg", source, tmp_path / "study", name="Set up", copy=False)
    window.use_study(open_study(tmp_path / "study"))
    window.navigate("study")
    return window.screen_widget("study")


@pytest.mark.window
def test_that_targets_are_edited_on_the_screen_and_a_used_name_stays(window, shown):
    study = window.services.study
    image = study.images()[0].image_id
    study.save_mask(image, "anna", "polyp", study.ground_truth(image), origin="correction")
    shown.on_shown()
    card = shown._targets
    assert card.lines[0].name.isReadOnly()
    assert not card.lines[0].remove.isEnabled()
    card.lines[0].description.setText("any raised lesion")
    card.lines[0].show_colour("#009E73")
    card.add()
    card.save()
    assert "different names" in card._said.text()
    card.lines[1].name.setText("ulcer")
    card.save()
    assert [(one.name, one.colour, one.description) for one in study.settings.targets] == [
        ("polyp", "#009E73", "any raised lesion"),
        ("ulcer", study.settings.targets[1].colour, ""),
    ]
    card.lines[1].remove.click()
    card.save()
    assert [one.name for one in study.settings.targets] == ["polyp"]


@pytest.mark.window
def test_that_moved_images_and_masks_are_found_again_all_at_once(window, shown, wait_until, tmp_path: Path):
    study = window.services.study
    shutil.move(tmp_path / "pictures", tmp_path / "elsewhere")
    shown.on_shown()
    card = shown.images
    wait_until(lambda: "4 image files are not where they were" in card.lost.text())
    assert card.find_moved.isVisible()
    card.find_in(str(tmp_path / "elsewhere"))
    wait_until(lambda: not missing_files(study))
    wait_until(lambda: "4 found again, 0 still lost" in card.lost.text())
    assert not card.find_moved.isVisible()
    for image in study.images():
        assert study.pixels(image.image_id).size == (60, 40)
        assert study.ground_truth(image.image_id) is not None


@pytest.mark.window
def test_that_a_preset_is_taken_with_one_button(window, shown):
    shown._preset.setCurrentIndex(shown._preset.findData("prostate"))
    shown._use_preset()
    labels = window.services.study.settings.labels
    assert (labels.source, labels.sigma, labels.thresholds) == ("none", 50.0, (0.2, 0.4))
    assert "50" in shown._label_words.text()


@pytest.mark.window
def test_that_new_targets_and_a_new_name_are_everywhere_at_once(window, wait_until, shown):
    boxes = {
        "annotate": "_targets",
        "worklist": "_targets",
        "agreement": "_target",
        "predict": "_target",
        "export": "_target",
    }
    for name in (*boxes, "correct"):
        window.navigate(name)
    window.navigate("study")
    card = shown._targets
    card.lines[0].name.setText("lesion")
    card.add()
    card.lines[1].name.setText("ulcer")
    card.save()
    shown._study_name.setText("Another name")
    shown._save()
    assert window._bar._study_label.whole == "Another name"
    for name, box in boxes.items():
        window.navigate(name)
        made = getattr(window.screen_widget(name), box)
        assert [made.itemText(place) for place in range(made.count())] == ["lesion", "ulcer"], name
    window.navigate("correct")
    wait_until(lambda: window.screen_widget("correct").place is not None)
    assert window.screen_widget("correct").place[1] == "lesion"
    assert window.current_screen == "correct"
