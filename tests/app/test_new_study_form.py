"""Making a study on the screen: never into another one by chance, and never stopped for good by one broken file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.study import StudySettings, Target
from storage.study import Study
from workflows.open_study import create_study, open_study


def pictures(folder: Path, n: int = 3, seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(n):
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / f"p{number}.png")
    return folder


@pytest.fixture
def form(window):
    window.navigate("study", makes_new=True)
    return window.screen_widget("study")._new


def texts(form) -> list[str]:
    return [field.text() for field in (form.name, form._target, form._source, form._folder)]


@pytest.mark.window
def test_that_the_form_is_empty_each_time(window, form, tmp_path: Path):
    form._source.setText(str(pictures(tmp_path / "first")))
    form._target.setText("lesion")
    window.navigate("welcome")
    window.navigate("study", makes_new=True)
    assert texts(form) == ["", "", "", ""]
    window.navigate("study", makes_new=True, images=tmp_path / "second")
    assert texts(form) == ["second", "", str(tmp_path / "second"), str(tmp_path / "second-study")]


@pytest.mark.window
def test_that_what_is_suggested_follows_the_source_until_it_is_changed(form, tmp_path: Path):
    for typed in ("p", "po", "pol"):
        form._source.setText(str(tmp_path / typed))
    assert (form.name.text(), form._folder.text()) == ("pol", str(tmp_path / "pol-study"))
    (tmp_path / "polyps-study").mkdir()
    form.name.setText("Mine")
    form._source.setText(str(tmp_path / "polyps"))
    assert (form.name.text(), form._folder.text()) == ("Mine", str(tmp_path / "polyps-study-2"))


@pytest.mark.window
def test_that_the_target_of_the_form_is_the_target_of_the_study(window, form, wait_until, tmp_path: Path):
    form._source.setText(str(pictures(tmp_path / "in")))
    form._target.setText("lesion")
    form._make.click()
    wait_until(lambda: window.services.study is not None)
    assert [one.name for one in window.services.study.settings.targets] == ["lesion"]


@pytest.mark.window
def test_that_a_folder_with_a_study_is_only_added_to_when_asked(window, form, wait_until, tmp_path: Path):
    there = tmp_path / "there"
    create_study(there, StudySettings(name="Old", targets=(Target("ulcer"),)), annotator="anna").close()
    form._source.setText(str(pictures(tmp_path / "in")))
    form.name.setText("New")
    form._folder.setText(str(there))
    form._make.click()
    assert "There is a study in this folder already" in form._problem.text()
    assert all(made.isVisible() for made in (form.open_there, form.choose_other, form.add_there))
    assert window.services.study is None
    with Study.open(there) as study:
        assert study.images() == []
    form.choose_other.click()
    assert form._folder.text() == ""
    assert not form.ways_out.isVisible()
    form._folder.setText(str(there))
    form._make.click()
    form.add_there.click()
    wait_until(lambda: window.services.study is not None)
    study = window.services.study
    assert (study.settings.name, len(study.images())) == ("Old", 3)
    assert [person.name for person in study.annotators()] == ["anna"]


@pytest.mark.window
def test_that_the_study_that_is_there_can_be_opened_instead(window, form, wait_until, tmp_path: Path):
    create_study(tmp_path / "there", StudySettings(name="Old"), annotator="anna").close()
    form._source.setText(str(pictures(tmp_path / "in")))
    form._folder.setText(str(tmp_path / "there"))
    form._make.click()
    form.open_there.click()
    wait_until(lambda: window.services.study is not None)
    assert window.services.study.images() == []


@pytest.mark.window
def test_that_broken_files_are_listed_and_can_be_left_out(window, form, wait_until, tmp_path: Path):
    source = pictures(tmp_path / "in", n=4)
    for name in ("p1.png", "p2.png"):
        (source / name).write_bytes((source / name).read_bytes()[:100])
    form._source.setText(str(source))
    form._make.click()
    wait_until(lambda: form.broken.isVisible())
    assert "2 files" in form.broken._words.text()
    assert ["p1.png" in form.broken.files.item(0).text(), "p2.png" in form.broken.files.item(1).text()] == [True] * 2
    assert not (tmp_path / "in-study").exists()
    form.broken.leave_out.click()
    wait_until(lambda: window.services.study is not None)
    assert [image.image_id for image in window.services.study.images()] == ["p0", "p3"]


@pytest.mark.window
def test_that_broken_files_can_be_left_out_of_what_is_added(window, wait_until, tmp_path: Path):
    source = pictures(tmp_path / "in", n=2)
    (source / "p1.png").write_bytes((source / "p1.png").read_bytes()[:100])
    create_study(tmp_path / "there", StudySettings(name="Old"), annotator="anna").close()
    window.use_study(open_study(tmp_path / "there"))
    window.navigate("study")
    card = window.screen_widget("study").images
    card.add_from(str(source))
    wait_until(lambda: card.broken.isVisible())
    card.broken.leave_out.click()
    wait_until(lambda: len(window.services.study.images()) == 1)
