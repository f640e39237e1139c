"""Ways out of the stage at moments when something is under way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.error_dialog import ErrorDialog
from app.let_run import let_run
from app.stage_phase import Phase
from domain.study import Role
from storage.session_file import read_session
from tests.app.stage_walk import ANNOTATOR, open_stage
from workflows.annotate_images import RUN_UP_NS, AnnotationSession
from workflows.look_labels import LabelMaker
from workflows.sample_study import open_sample_study

pytestmark = pytest.mark.window
ENTER, ESCAPE = Qt.Key.Key_Return, Qt.Key.Key_Escape


@pytest.fixture
def stage(window, wait_until, tmp_path: Path):
    return open_stage(window, open_sample_study(tmp_path / "study", n_frames=2), wait_until, role=Role.ANNOTATOR)


def is_out(window) -> bool:
    return window.current_screen == "worklist" and not window.tasks.active


def error_dialogs() -> list[ErrorDialog]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, ErrorDialog)]


def look(stage, wait_until) -> None:
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(4.0)


def test_that_escape_while_the_mask_is_made_waits_for_it_and_the_trial_is_kept(
    window, stage, wait_until, monkeypatch: pytest.MonkeyPatch
):
    make = LabelMaker.make

    def slow(*values: object, **named: object) -> object:
        time.sleep(0.6)
        return make(*values, **named)

    monkeypatch.setattr(LabelMaker, "make", slow)
    look(stage, wait_until)
    image_id = stage.image_id
    QTest.keyClick(stage, ENTER)
    assert stage.phase is Phase.WORKING
    QTest.keyClick(stage, ESCAPE)
    wait_until(lambda: is_out(window), 90)
    assert error_dialogs() == []
    assert len(window.services.study.trials(image_id=image_id, annotator=ANNOTATOR)) == 1


def test_that_a_mask_that_cannot_be_made_is_said_once_and_the_image_can_be_looked_at_again(
    window, stage, wait_until, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_values: object, **_named: object) -> object:
        raise RuntimeError("no mask today")

    with monkeypatch.context() as patched:
        patched.setattr(LabelMaker, "make", broken)
        patched.setattr(LabelMaker, "draft", broken)
        look(stage, wait_until)
        image_id = stage.image_id
        QTest.keyClick(stage, ENTER)
        wait_until(lambda: stage.phase is Phase.CARD, 30)
        wait_until(lambda: not window.tasks.active, 30)
    wait_until(lambda: any(dialog.isVisible() for dialog in error_dialogs()), 30)
    let_run(50)  # a second one would come now
    shown = [dialog for dialog in error_dialogs() if dialog.isVisible()]
    assert len(shown) == 1
    shown[0].accept()
    stage.activateWindow()  # there is no window manager that gives the focus back when the dialog closes
    assert QTest.qWaitForWindowActive(stage, 5000)
    look(stage, wait_until)
    assert stage.image_id == image_id
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    QTest.keyClick(stage, ESCAPE)
    wait_until(lambda: is_out(window), 60)


def test_that_escape_while_the_tracker_opens_leaves_no_tracker_behind(
    window, stage, wait_until, monkeypatch: pytest.MonkeyPatch
):
    QTest.keyClick(stage, ESCAPE)
    wait_until(lambda: is_out(window), 60)
    opens = AnnotationSession.open

    def slow(session: AnnotationSession) -> None:
        time.sleep(0.4)
        opens(session)

    monkeypatch.setattr(AnnotationSession, "open", slow)
    QTest.keyClick(window.screen_widget("worklist"), ENTER, Qt.KeyboardModifier.ControlModifier)
    second = window.screen_widget("annotate").stage
    session = second.session
    assert second.phase is Phase.OPENING
    second.leave()
    assert "Going back" in second.card.text
    wait_until(lambda: is_out(window), 60)
    assert not session.is_open
    assert session.recording.host.pid
    assert not session.is_alive
    assert error_dialogs() == []


def test_that_a_stage_closed_by_the_window_system_is_left_in_order(window, stage, wait_until):
    look(stage, wait_until)
    stage.close()
    wait_until(lambda: is_out(window), 60)
    assert window.screen_widget("annotate").stage is None
    sessions = list((window.services.study.folder / "sessions").glob("*.h5"))
    assert [len(read_session(path).trials()) for path in sessions] == [1]


def test_that_a_pause_between_the_first_paint_and_the_trial_begins_the_trial_afterwards(window, stage, wait_until):
    paused = []

    def pause_at_once() -> None:
        if stage.phase is Phase.LOOKING and not paused:
            paused.append(True)
            stage.pause()

    stage.canvas.painted.connect(pause_at_once)  # after the stage's own slot, before the turn of the loop ends
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: bool(paused), 30)
    let_run(50)
    assert stage.phase is Phase.PAUSED
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    QTest.keyClick(stage, ESCAPE)
    wait_until(lambda: is_out(window), 60)


def test_that_samples_between_images_are_not_gathered_for_the_whole_sitting(window, stage, wait_until):
    for _ in range(10):
        stage.session.recording.advance(1.0)
        let_run(60)
    kept = stage.session._parts
    assert kept
    assert kept[-1]["time_ns"][-1] - kept[0]["time_ns"][-1] <= RUN_UP_NS
    QTest.keyClick(stage, ESCAPE)
    wait_until(lambda: is_out(window), 60)
