"""Keys that are held or come too early decide nothing: what nobody can have seen is not accepted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from app.action_table import ACTIONS
from app.let_run import let_run
from app.stage_phase import Phase
from domain.study import Role, TrialStatus
from tests.app.stage_walk import open_stage
from workflows.sample_study import open_sample_study

pytestmark = pytest.mark.window
NO_KEYS, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
ENTER = Qt.Key.Key_Return
STEPS = ("zoom", "slice", "opaque", "smaller", "larger", "level_", "next", "previous")


def repeat(widget: QWidget, key: Qt.Key, text: str, modifiers: Qt.KeyboardModifier = NO_KEYS) -> None:
    """What a keyboard sends while a key is held down."""
    QTest.simulateEvent(widget, True, key, modifiers, text, True, -1)


@pytest.fixture
def stage(window, wait_until, tmp_path: Path):
    made = open_stage(window, open_sample_study(tmp_path / "study", n_frames=4), wait_until, role=Role.ANNOTATOR)
    made.seen.seen_ms = 300
    yield made
    while made.phase in (Phase.RECALLING, Phase.WORKING, Phase.SKIP):
        let_run(20)
        QTest.keyClick(made, Qt.Key.Key_Escape)
    QTest.keyClick(made, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)


@pytest.fixture
def masked_study(tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=6)
    for image in study.images():
        mask = np.zeros(image.size[::-1], np.bool_)
        mask[20:60, 20:60] = True
        study.save_mask(image.image_id, "anna", "polyp", mask, origin="correction")
    return study


def look(stage, wait_until, seconds: float = 4.0) -> str:
    """Look at the image that comes, and have its mask on the screen."""
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(seconds)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    return str(stage.image_id)


def wait_to_see(screen, wait_until) -> None:
    wait_until(lambda: screen.seen.is_enough, 10)


def test_that_only_actions_that_step_scroll_or_size_repeat_while_their_key_is_held(window):
    repeating = {action.action_id for action in ACTIONS if action.may_repeat}
    assert repeating
    assert all(any(step in action_id for step in STEPS) for action_id in repeating)
    window.navigate("worklist")
    bound = [action for action in window.findChildren(object) if hasattr(action, "autoRepeat")]
    known = {action.action_id: action.may_repeat for action in ACTIONS}
    ours = [action for action in bound if action.objectName() in known]
    assert ours
    assert all(action.autoRepeat() == known[action.objectName()] for action in ours)


def test_that_enter_held_in_annotate_accepts_nothing(stage, wait_until, window):
    QTest.keyClick(stage, ENTER)
    first = look(stage, wait_until)
    wait_to_see(stage, wait_until)
    for _ in range(20):
        repeat(stage, ENTER, "\r")
        let_run(15)
    assert (stage.phase, stage.image_id) == (Phase.RESULT, first)
    assert window.services.desk.status((first, "polyp")) is not TrialStatus.DONE
    QTest.keyClick(stage, ENTER)
    assert window.services.desk.status((first, "polyp")) is TrialStatus.DONE


@pytest.mark.parametrize("key", [ENTER, Qt.Key.Key_N, Qt.Key.Key_F])
def test_that_a_key_before_the_mask_could_be_seen_decides_nothing_and_is_answered(stage, wait_until, window, key):
    QTest.keyClick(stage, ENTER)
    first = look(stage, wait_until)
    QTest.keyClick(stage, key)
    assert (stage.phase, stage.image_id) == (Phase.RESULT, first)
    assert "before the mask could be seen" in stage.result_bar.remark.toolTip()
    wait_to_see(stage, wait_until)
    QTest.keyClick(stage, key)
    assert window.services.desk.status((first, "polyp")) in (TrialStatus.DONE, TrialStatus.FLAGGED)
