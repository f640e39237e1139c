"""Undo across images in Correct: nothing unseen changes, decisions are named first, and all pages count the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from domain.study import Role, TrialStatus
from domain.trial import TrialRecord
from processing.export_source import ExportSource
from processing.exporter import ExportOptions
from workflows.freeze_study import images_with_gaze
from workflows.review import all_reviews, cases, decide
from workflows.sample_study import open_sample_study
from workflows.worklist import make_worklist

pytestmark = pytest.mark.window
NO_KEYS, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
REDO = CTRL | Qt.KeyboardModifier.ShiftModifier
Z = Qt.Key.Key_Z


@pytest.fixture
def study(tmp_path: Path):
    return open_sample_study(tmp_path / "study", n_frames=5)


@pytest.fixture
def correct(window, study, wait_until):
    """Three images were looked at and accepted; the fourth is on the screen."""
    study.add_annotator("anna", Role.ANNOTATOR)
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    desk = window.services.desk
    fixations = ImageFixations(np.full((4, 2), 0.4), np.full(4, 300.0), np.arange(4) * 400.0, np.full(4, np.nan))
    for number, image_id in enumerate(image_ids(study)[:3]):
        heatmap = np.zeros(study.image(image_id).size[::-1], np.float32)
        heatmap[40:120, 40:120] = 1.0
        trial = TrialRecord(
            f"t{number}", image_id, "anna", "polyp", status=TrialStatus.IN_PROGRESS, fixations=fixations
        )
        study.save_trial(trial)
        study.save_maps(trial.trial_id, LabelMaps(heatmap, heatmap, LabelParameters(source="none")))
        desk.start_over(image_id, "polyp", heatmap > 0.5)
        desk.accept((image_id, "polyp"), origin="gaze")
    return show(window, image_ids(study)[3], wait_until)


def image_ids(study) -> list[str]:
    return [image.image_id for image in study.images()]


def show(window, image_id: str, wait_until):
    window.navigate("correct", image_id=image_id)
    screen = window.screen_widget("correct")
    wait_until(lambda: screen.place == (image_id, "polyp"))
    return screen


def press(screen, wait_until, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO_KEYS) -> None:
    wait_until(lambda: screen.place is not None)
    QTest.keyClick(screen, key, modifiers)
    wait_until(lambda: screen.place is not None)


def counts(window, study) -> set[int]:
    """How many answers each page knows: worklist, Review, Export, Train."""
    window.navigate("worklist")
    source = ExportSource(study, ExportOptions(masks="newest"))
    return {
        make_worklist(study, "anna", "polyp", role=Role.ADMIN).n_finished,
        len(cases(study)),
        sum(source.has_mask(image) for image in study.images()),
        len(source.all_reads),
        len(images_with_gaze(study)),
    }


def test_that_undo_shows_and_names_an_acceptance_on_another_image_before_it_takes_it_back(
    window, study, correct, wait_until
):
    desk, third = window.services.desk, image_ids(study)[2]
    place = (third, "polyp")
    mask = desk.mask(place).copy()
    assert counts(window, study) == {3}
    show(window, image_ids(study)[3], wait_until)
    press(correct, wait_until, Z, CTRL)
    assert correct.place == place
    assert "again takes back: the acceptance of" in correct._saved.text()
    assert third in correct._saved.text()
    assert desk.status(place) is TrialStatus.DONE
    press(correct, wait_until, Z, CTRL)
    assert desk.status(place) is TrialStatus.IN_PROGRESS
    assert correct._status_word.text() == "in progress"
    assert np.array_equal(desk.mask(place), mask)
    assert counts(window, study) == {2}
    show(window, third, wait_until)
    press(correct, wait_until, Z, REDO)
    assert desk.status(place) is TrialStatus.DONE
    assert counts(window, study) == {3}


def test_that_a_gaze_mask_is_named_before_it_goes_and_an_empty_mask_shows_no_level(window, study, correct, wait_until):
    desk, place = window.services.desk, (image_ids(study)[2], "polyp")
    for _ in range(2):
        press(correct, wait_until, Z, CTRL)
    press(correct, wait_until, Z, CTRL)
    assert "again takes back: the gaze mask of" in correct._saved.text()
    assert desk.mask(place).any()
    assert "strongest gaze" in correct._level._words.text()
    press(correct, wait_until, Z, CTRL)
    assert not desk.mask(place).any()
    assert "The mask is empty" in correct._level._words.text()
    press(correct, wait_until, Z, CTRL)  # the acceptance of the image before
    assert correct.place == (image_ids(study)[1], "polyp")
    assert desk.status(correct.place) is TrialStatus.DONE


def test_that_paging_away_from_a_named_step_makes_undo_name_it_again(window, study, correct, wait_until):
    place = (image_ids(study)[2], "polyp")
    press(correct, wait_until, Z, CTRL)
    press(correct, wait_until, Qt.Key.Key_PageDown)
    press(correct, wait_until, Qt.Key.Key_PageUp)
    press(correct, wait_until, Z, CTRL)
    assert window.services.desk.status(place) is TrialStatus.DONE
    assert "again takes back" in correct._saved.text()


def test_that_strokes_on_the_image_shown_are_undone_at_once_and_redo_asks_on_another_image(
    window, study, correct, wait_until
):
    desk, place = window.services.desk, correct.place
    drawn = np.zeros_like(desk.mask(place))
    drawn[10:30, 10:30] = True
    correct._on_changed(drawn, "brush")
    press(correct, wait_until, Z, CTRL)
    assert not desk.mask(place)[15, 15]
    show(window, image_ids(study)[0], wait_until)
    press(correct, wait_until, Z, REDO)
    assert correct.place == place
    assert not desk.mask(place)[15, 15]
    press(correct, wait_until, Z, REDO)
    assert desk.mask(place)[15, 15]


def test_that_undo_stops_at_what_a_reviewer_decided_about_since(window, study, correct, wait_until):
    desk, third = window.services.desk, image_ids(study)[2]
    wait_until(lambda: desk.is_written)
    study.add_annotator("rita", Role.REVIEWER)
    decide(study, study.mask_versions(third, "anna", "polyp")[-1], "accepted", reviewer="rita")
    for _ in range(3):
        press(correct, wait_until, Z, CTRL)
        assert correct.place == (third, "polyp")
        assert "A reviewer decided since" in correct._saved.text()
    assert study.statuses("anna", "polyp")[third] is TrialStatus.ACCEPTED
    assert len(all_reviews(study)) == 1


def test_that_held_and_hasty_keys_accept_nothing_in_correct_and_n_says_no_target(window, study, correct, wait_until):
    desk, ids = window.services.desk, image_ids(study)
    correct.seen.seen_ms = 300
    show(window, ids[4], wait_until)
    place = correct.place
    QTest.keyClick(correct, Qt.Key.Key_Return, CTRL)
    assert desk.status(place) is TrialStatus.NEW
    assert "before the mask could be seen" in correct._saved.text()
    wait_until(lambda: correct.seen.is_enough)
    for _ in range(5):
        QTest.simulateEvent(correct, True, Qt.Key.Key_Return, CTRL, "\r", True, -1)
    assert desk.status(place) is TrialStatus.NEW
    QTest.keyClick(correct, Qt.Key.Key_N)
    assert desk.status(place) is TrialStatus.DONE
    assert not desk.mask(place).any()
