"""What each importer of images keeps to: a target that the source does not name is the one that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.study import Target
from processing.importer import ImportOptions, importers
from storage.study import Study
from workflows.import_images import import_to_folder, scan, settings_for

HEADER = (
    "IMAGE,CURRENT_FIX_INDEX,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION,CURRENT_FIX_PUPIL,CURRENT_FIX_START,"
    "IMAGE_HEIGHT,IMAGE_WIDTH"
)
IMAGE_FORMATS = [name for name in importers.names() if importers.get(name).kind == "images"]


def _picture(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)).save(folder / "a.png")


def _folder(place: Path) -> None:
    _picture(place)


def _kvasir(place: Path) -> None:
    _picture(place / "images")


def _gazemedseg(place: Path) -> None:
    _picture(place / "images")
    (place / "reads.csv").write_text(f"{HEADER}\na.png,1,0.5,0.25,200,3000,7,30,40\n")


def _coco(place: Path, *, categories: tuple[str, ...] = ()) -> None:
    _picture(place / "images")
    named = [{"id": number, "name": name} for number, name in enumerate(categories, start=1)]
    table = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": named}
    (place / "annotations_train.json").write_text(json.dumps(table))


SOURCES: dict[str, Callable[[Path], None]] = {
    "folder": _folder,
    "kvasir-seg": _kvasir,
    "gazemedseg": _gazemedseg,
    "coco": _coco,
}


def test_that_each_importer_of_images_has_a_source_here() -> None:
    assert sorted(SOURCES) == sorted(IMAGE_FORMATS)


@pytest.mark.parametrize("name", IMAGE_FORMATS)
def test_that_the_target_that_was_asked_for_is_the_study_s(name: str, tmp_path: Path) -> None:
    SOURCES[name](tmp_path / "in")
    import_to_folder(name, tmp_path / "in", tmp_path / "study", options=ImportOptions(target="lesion"))
    with Study.open(tmp_path / "study") as study:
        assert [one.name for one in study.settings.targets] == ["lesion"]
        assert {trial.target for trial in study.trials()} <= {"lesion"}


@pytest.mark.parametrize("name", IMAGE_FORMATS)
def test_that_a_study_without_a_word_for_its_target_has_one_all_the_same(name: str, tmp_path: Path) -> None:
    SOURCES[name](tmp_path / "in")
    plan = scan(name, tmp_path / "in")
    assert len(settings_for(plan, "x").targets) == 1


def test_that_targets_which_the_source_names_stay(tmp_path: Path) -> None:
    _coco(tmp_path / "in", categories=("polyp", "ulcer"))
    plan = scan("coco", tmp_path / "in", options=ImportOptions(target="lesion"))
    assert settings_for(plan, "x", target="lesion").targets == (Target("polyp", 1), Target("ulcer", 2))
