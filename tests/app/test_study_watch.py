"""Two windows on one study know of each other, lists follow, and a training that was cut off is offered again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.main_window import MainWindow
from app.study_watch import CUT_OFF, OPEN_ELSEWHERE
from app.widgets.notice_bar import NoticeBar
from domain.study import Role, TrialStatus
from storage.study import Study
from storage.study_presence import FOLDER, StudyPresence
from training.config import preset
from training.run_folder import RunFolder
from workflows import review
from workflows.interrupted_training import interrupted_run, leave_stopped, take_up
from workflows.sample_study import open_sample_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = open_sample_study(tmp_path / "study", n_frames=4)
    made.add_annotator("anna", Role.ADMIN)
    return made


def cut_off_run(study: Study, name: str = "001-tiny") -> Path:
    folder = study.folder / "runs" / name
    RunFolder(folder).create(preset("tiny"), study.folder, "digest")
    (folder / "events.jsonl").write_text(json.dumps({"event": "state", "state": "training"}) + "\n")
    return folder


@pytest.mark.window
def test_that_two_windows_on_one_study_know_of_each_other_and_lists_follow(
    window: MainWindow, wait_until: Callable[..., None], study: Study
) -> None:
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    wait_until(lambda: (study.folder / FOLDER).exists())
    assert window.notices.words == {}
    other = StudyPresence(study.folder, "ben", host="ward-2", process_id=77)
    other.beat()

    def look_until(is_true: Callable[[], bool]) -> None:
        def looked() -> bool:
            window.watch.look()
            return is_true()

        wait_until(looked)

    look_until(lambda: "ben (ward-2, 77)" in window.notices.words.get(OPEN_ELSEWHERE, ""))
    assert window.notices.isVisible()
    listed = window.screen_widget("worklist")
    image = study.images()[0].image_id
    look_until(lambda: window.watch._n_changes >= 0)
    listed._view_in_use().setCurrentIndex(listed.model.index(2, 0))
    chosen = listed.model.row_at(2).image_id
    with Study.open(study.folder) as theirs:
        theirs.set_status(image, "anna", "polyp", TrialStatus.DONE)

    def status() -> TrialStatus:
        return listed.model.row_at(listed.model.place_of(image)).status

    look_until(lambda: status() is TrialStatus.DONE)
    assert listed.model.row_at(listed._view_in_use().currentIndex().row()).image_id == chosen
    other.leave()
    look_until(lambda: OPEN_ELSEWHERE not in window.notices.words)
    assert not window.notices.isVisible()
    window.services.set_study(None)
    assert not (study.folder / FOLDER).exists()


@pytest.mark.window
def test_that_the_review_list_follows_and_the_case_in_front_stays(
    window: MainWindow, wait_until: Callable[..., None], study: Study
) -> None:
    images = study.images()[:2]
    for image in images:
        study.save_mask(image.image_id, "anna", "polyp", np.ones(image.size[::-1], np.bool_), origin="gaze")
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    window.navigate("review")
    page = window.screen_widget("review")
    wait_until(lambda: len(page._cases) == 2)
    with Study.open(study.folder) as theirs:
        version = theirs.mask_versions(images[1].image_id, "anna", "polyp")[-1]
        review.decide(theirs, version, "flagged", reviewer="ben")
    before = page._cases[page._place]
    window.services.changed_elsewhere.emit()
    assert [one.state for one in page._cases] == ["new", "flagged"]
    assert page._cases[page._place].candidates == before.candidates


@pytest.mark.window
def test_that_a_training_that_was_cut_off_is_offered_when_the_study_is_opened(
    window: MainWindow, wait_until: Callable[..., None], study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off_run(study)
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    wait_until(lambda: CUT_OFF in window.notices.words)
    assert "001-tiny was cut off at step 0 of" in window.notices.words[CUT_OFF]
    page = window.screen_widget("train")
    resumed: list[str] = []
    monkeypatch.setattr(page, "_resume", lambda run: resumed.append(run.name))
    window.notices.button_of(CUT_OFF).click()
    assert (window.current_screen, resumed) == ("train", ["001-tiny"])
    assert window.notices.words == {}


def test_that_only_the_newest_run_is_offered_and_none_that_was_stopped_by_choice(study: Study) -> None:
    assert interrupted_run(study) is None
    folder = cut_off_run(study)
    found = interrupted_run(study)
    assert found is not None
    assert found.name == folder.name
    leave_stopped(folder)
    assert interrupted_run(study) is None
    take_up(folder)
    assert interrupted_run(study) is not None
    newer = cut_off_run(study, "002-tiny")
    (newer / "events.jsonl").write_text(json.dumps({"event": "state", "state": "done"}) + "\n")
    assert interrupted_run(study) is None
    study.close()


@pytest.mark.window
def test_that_a_line_can_be_put_away_and_comes_back_only_with_other_words(qapp: object) -> None:
    bar, put_away = NoticeBar(), []
    bar.tell("a", "one", on_dismissed=lambda: put_away.append("a"))
    bar.tell("b", "two", action="Go", on_action=lambda: put_away.append("b"))
    assert bar.words == {"a": "one", "b": "two"}
    bar.button_of("a").click()
    bar.button_of("b").click()
    assert put_away == ["a", "b"]
    assert bar.words == {}
    assert bar.isHidden()
    bar.tell("a", "one")
    assert bar.words == {}
    bar.tell("a", "other words")
    assert bar.words == {"a": "other words"}
    bar.deleteLater()
