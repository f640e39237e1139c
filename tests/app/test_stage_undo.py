"""Taking back and backing out on the stage: nothing is lost, and nothing is decided on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.let_run import let_run
from app.stage_phase import Phase
from domain.study import Outcome, Role, TrialStatus
from tests.app.stage_walk import ANNOTATOR, open_stage
from workflows.sample_study import open_sample_study

pytestmark = pytest.mark.window
CTRL = Qt.KeyboardModifier.ControlModifier
ENTER, ESCAPE, Z, S = Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Z, Qt.Key.Key_S


@pytest.fixture
def study(tmp_path: Path):
    return open_sample_study(tmp_path / "study", n_frames=4)


@pytest.fixture
def stage(window, study, wait_until):
    made = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(made, ENTER)
    yield made
    screen = window.screen_widget("annotate")
    while screen.stage is not None:
        QTest.keyClick(screen.stage, ESCAPE)
        let_run(50)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)


def look(stage, wait_until) -> str:
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(4.0)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    return str(stage.image_id)


def is_offered(stage, image_id: str) -> bool:
    return stage.phase is Phase.RESULT and stage.image_id == image_id


def test_that_undo_while_the_next_image_is_looked_at_goes_back_to_the_result_and_counts_no_look(
    window, study, stage, wait_until
):
    first = look(stage, wait_until)
    desk, place = window.services.desk, (first, "polyp")
    mask = desk.mask(place).copy()
    assert mask.any()
    QTest.keyClick(stage, ENTER)
    assert desk.status(place) is TrialStatus.DONE
    wait_until(lambda: stage.is_recording, 30)
    second = stage.image_id
    assert second != first
    stage.session.recording.advance(2.0)
    QTest.keyClick(stage, Z, CTRL)
    wait_until(lambda: is_offered(stage, first), 30)
    assert desk.status(place) is TrialStatus.IN_PROGRESS
    assert np.array_equal(desk.mask(place), mask)
    assert stage.canvas.layer("mask") is not None
    assert not study.trials(image_id=second)  # the look under way counts for nothing
    QTest.keyClick(stage, ENTER)
    assert desk.status(place) is TrialStatus.DONE
    wait_until(lambda: stage.is_recording and stage.image_id == second, 30)
    assert len(study.trials(image_id=first)) == 1


def test_that_undo_in_a_result_offers_the_image_before_and_then_the_result_again(window, study, stage, wait_until):
    desk = window.services.desk
    first = look(stage, wait_until)
    mask = desk.mask((first, "polyp")).copy()
    QTest.keyClick(stage, Qt.Key.Key_N)  # with a mask on the screen: an empty one is the answer
    second = look(stage, wait_until)
    second_mask = desk.mask((second, "polyp")).copy()
    QTest.keyClick(stage, Z, CTRL)
    wait_until(lambda: is_offered(stage, first), 30)
    assert np.array_equal(desk.mask((first, "polyp")), mask)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: is_offered(stage, second), 30)
    assert np.array_equal(desk.mask((second, "polyp")), second_mask)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    wait_until(lambda: desk.is_written)
    for image_id, wanted in ((first, mask), (second, second_mask)):
        assert np.array_equal(study.mask(image_id, ANNOTATOR, "polyp"), wanted)
        assert study.trial(image_id, ANNOTATOR, "polyp").outcome is Outcome.TARGET
        assert desk.status((image_id, "polyp")) is TrialStatus.DONE


def test_that_undo_without_a_decision_says_so(stage, wait_until):
    first = look(stage, wait_until)
    QTest.keyClick(stage, Z, CTRL)
    assert is_offered(stage, first)
    assert "Nothing was decided" in stage.result_bar.remark.toolTip()


@pytest.mark.parametrize("way", ["key", "mouse"])
def test_that_the_skip_card_can_be_left_by_key_and_mouse_with_the_result_still_there(window, stage, wait_until, way):
    first = look(stage, wait_until)
    mask = window.services.desk.mask((first, "polyp")).copy()
    QTest.keyClick(stage, S)
    assert "Do not skip" in stage.card.text
    if way == "key":
        QTest.keyClick(stage, ESCAPE)
    else:
        QTest.mouseClick(stage.card._choices[-1], Qt.MouseButton.LeftButton, pos=QPoint(30, 10))
    assert is_offered(stage, first)
    assert window.screen_widget("annotate").stage is stage
    assert np.array_equal(window.services.desk.mask((first, "polyp")), mask)


def test_that_escape_on_the_skip_card_goes_on_with_a_look_and_a_click_on_a_reason_skips(window, stage, wait_until):
    wait_until(lambda: stage.is_recording, 30)
    first = stage.image_id
    stage.session.recording.advance(2.0)
    QTest.keyClick(stage, S)
    stage.session.recording.advance(5.0)  # not looked at
    QTest.keyClick(stage, ESCAPE)
    assert stage.is_recording
    stage.session.recording.advance(2.0)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: is_offered(stage, first), 90)
    assert stage.result.record.quality.active_s == pytest.approx(4.0, abs=0.7)
    QTest.keyClick(stage, S)
    QTest.mouseClick(stage.card._choices[1], Qt.MouseButton.LeftButton, pos=QPoint(30, 10))
    assert window.services.desk.status((first, "polyp")) is TrialStatus.SKIPPED
    QTest.keyClick(stage, Z, CTRL)
    wait_until(lambda: is_offered(stage, first), 30)


def test_that_a_result_nobody_decided_about_is_offered_again_in_the_next_sitting(window, study, stage, wait_until):
    first = look(stage, wait_until)
    mask = window.services.desk.mask((first, "polyp")).copy()
    QTest.keyClick(stage, ESCAPE)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)
    QTest.keyClick(window.screen_widget("worklist"), ENTER, CTRL)
    again = window.screen_widget("annotate").stage
    wait_until(lambda: again.phase is Phase.CARD, 60)
    QTest.keyClick(again, ENTER)
    wait_until(lambda: is_offered(again, first), 30)
    assert "still to be decided" in again.result_bar.remark.toolTip()
    QTest.keyClick(again, ENTER)
    wait_until(lambda: window.services.desk.is_written)
    assert np.array_equal(study.mask(first, ANNOTATOR, "polyp"), mask)
    assert len(study.trials(image_id=first)) == 1


def test_that_the_outlines_of_a_result_are_named(stage, wait_until):
    look(stage, wait_until)
    assert stage._legend.isVisible()
    assert stage._legend.text == "stored, wider level"


def test_that_a_look_at_nothing_is_not_good_and_enter_looks_again(stage, wait_until, window):
    wait_until(lambda: stage.is_recording, 30)
    first = stage.image_id
    QTest.keyClick(stage, ENTER)  # at once: no fixation
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert stage.result.verdict == "stop"
    assert stage._chip._word.text() == "Does not count"
    assert "Nothing on the image was looked at" in stage._chip._figures.toolTip()
    assert stage.result_bar._accept.text() == "Look again"
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording and stage.image_id == first, 30)
    assert window.services.desk.status((first, "polyp")) is not TrialStatus.DONE
