"""Pauses, rests, repeats, lost trackers and changed grey windows on the stage."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from acquisition.host import TrackerHost
from app.let_run import let_run
from app.stage_phase import Phase
from domain.errors import TrackerError
from domain.study import Role, StudyImage, StudySettings, Target, TrialStatus
from resources.sample_study.frames import synthetic_frame
from storage.mask_file import write_mask
from storage.session_file import read_session
from storage.study import Study
from tests.app.stage_walk import ANNOTATOR, open_stage
from workflows.look_labels import LabelMaker
from workflows.sample_study import open_sample_study

pytestmark = pytest.mark.window
ENTER = Qt.Key.Key_Return


def leave(stage, window, wait_until) -> None:
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)


def test_that_a_tracker_that_sends_nothing_pauses_the_look_and_says_so(window, wait_until, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=2)
    faults = [{"at_s": 5.0, "kind": "silence", "duration_s": 4.0}]
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR, faults=faults)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(4.0)
    let_run(100)
    assert stage.phase is Phase.LOOKING
    stage.session.recording.advance(4.0)
    wait_until(lambda: stage.phase is Phase.PAUSED, 20)
    assert "silent" in stage.card.text
    stage.session.recording.advance(3.0)
    QTest.keyClick(stage, ENTER)
    assert stage.phase is Phase.LOOKING
    stage.session.recording.advance(1.0)
    let_run(100)
    assert stage.phase is Phase.LOOKING
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    quality = stage.result.record.quality
    assert quality.active_s < stage.result.record.duration_s - 3.0
    leave(stage, window, wait_until)


def test_that_eyes_that_are_gone_for_two_seconds_pause_the_look(window, wait_until, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=2)
    stage = open_stage(
        window, study, wait_until, role=Role.ANNOTATOR, blinks_per_min=30.0, blink_s=[40.0, 50.0], losses_per_min=0.0
    )
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    for _ in range(20):
        stage.session.recording.advance(1.0)
        let_run(60)
        if stage.phase is Phase.PAUSED:
            break
    assert stage.phase is Phase.PAUSED
    assert "eyes" in stage.card.text
    leave(stage, window, wait_until)


def test_that_a_look_with_too_much_loss_does_not_count_and_enter_looks_again(window, wait_until, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=2)
    stage = open_stage(
        window, study, wait_until, role=Role.ANNOTATOR, blinks_per_min=150.0, blink_s=[0.5, 0.7], losses_per_min=0.0
    )
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    image_id = stage.image_id
    stage.session.recording.advance(8.0)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert stage.result.verdict == "stop"
    first = stage.result.record.trial_id
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    assert stage.image_id == image_id
    assert window.services.desk.status((image_id, "polyp")) is not TrialStatus.DONE
    stage.session.recording.advance(8.0)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert stage.result.record.trial_id != first
    leave(stage, window, wait_until)
    kept = {trial.trial_id for trial in window.services.study.trials(image_id=image_id, annotator=ANNOTATOR)}
    assert first in kept


def test_that_the_rest_card_comes_when_the_protocol_says_and_enter_goes_on(window, wait_until, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=3)
    study.update_settings(replace(study.settings, protocol=replace(study.settings.protocol, rest_after_images=2)))
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, ENTER)
    seen = []
    for _ in range(2):
        wait_until(lambda: stage.is_recording, 30)
        seen.append(stage.image_id)
        QTest.keyClick(stage, Qt.Key.Key_N)
        wait_until(lambda: stage.phase is Phase.RESULT, 90)
        QTest.keyClick(stage, Qt.Key.Key_F)
    assert stage.phase is Phase.REST
    assert "2 images" in stage.card.text
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    assert stage.image_id not in seen
    leave(stage, window, wait_until)


def test_that_a_lost_tracker_is_connected_again_in_place_and_both_sessions_are_kept(
    window, wait_until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def never(_host: TrackerHost) -> None:
        raise TrackerError("The tracker is not there.")

    monkeypatch.setattr(TrackerHost, "restart", never)  # it does not come back by itself; Enter connects it
    study = open_sample_study(tmp_path / "study", n_frames=3)
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    first = stage.image_id
    stage.session.recording.advance(5.0)
    let_run(100)
    os.kill(stage.session.recording.host.pid, 9)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert "lost" in stage.result_bar.remark.text()
    first_session = stage.result.record.session_file
    QTest.keyClick(stage, Qt.Key.Key_F)
    assert stage.phase is Phase.LOST
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.CARD, 60)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    assert stage.image_id != first
    stage.session.recording.advance(5.0)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    second_session = stage.result.record.session_file
    assert second_session != first_session
    leave(stage, window, wait_until)
    folder = window.services.study.folder
    for name in (first_session, second_session):
        assert len(read_session(folder / name).trials()) == 1


def test_that_the_grey_window_changes_while_recording_are_logged_and_gaze_stays_on_the_target(
    window, wait_until, tmp_path: Path
):
    study = Study.create(tmp_path / "study", StudySettings("grey", (Target("polyp"),), is_simulated=True))
    frame = synthetic_frame(3, size=(480, 400))
    cv2.imwrite(str(study.folder / "images" / "grey.png"), frame.image.mean(axis=2).astype(np.uint8))
    write_mask(study.folder / "masks" / "grey.png", frame.mask, {})
    study.add_images([StudyImage("grey", "images/grey.png", (480, 400), mask_path="masks/grey.png")])
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    before = stage.canvas.grab().toImage()
    for key in (Qt.Key.Key_5, Qt.Key.Key_0):
        stage.session.recording.advance(4.0)
        QTest.keyClick(stage, key, Qt.KeyboardModifier.AltModifier)
        if key is Qt.Key.Key_5:
            assert stage.canvas.grab().toImage() != before
    stage.session.recording.advance(4.0)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    record = stage.result.record
    columns, rows = np.clip(record.fixations.xy_norm * (480, 400), 0, (479, 399)).T.astype(int)
    late = record.fixations.start_ms > 2000
    assert frame.mask[rows[late], columns[late]].mean() > 0.6
    leave(stage, window, wait_until)
    session = read_session(study.folder / record.session_file)
    windows = [m.payload["window"] for m in session.markers if "window" in m.payload]
    assert [80.0, 40.0] in [sorted(map(float, w), reverse=True) for w in windows if w]
    assert len(windows) >= 2


def test_that_levels_of_the_heatmap_stand_in_for_a_mask_that_is_slow_and_only_the_refined_one_is_kept(
    window, wait_until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    study = open_sample_study(tmp_path / "study", n_frames=2)
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(5.0)
    wait_until(lambda: stage.is_prepared, 90)
    make = LabelMaker.make

    def slow(*values: object, **named: object) -> object:
        time.sleep(2.0)
        return make(*values, **named)

    monkeypatch.setattr(LabelMaker, "make", slow)
    QTest.keyClick(stage, ENTER)
    wait_until(lambda: stage.canvas.layer("level 1") is not None, 20)
    assert stage.phase is Phase.WORKING
    assert "Refining" in stage.result_bar.remark.text()
    QTest.keyClick(stage, ENTER)  # nothing can be accepted yet
    assert stage.phase is Phase.WORKING
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert stage.look.seconds_to_first_mask[-1] < stage.look.seconds_to_mask[-1]
    result = stage.result
    assert np.array_equal(window.services.desk.mask((stage.image_id, "polyp")), result.maps.levels[0])
    assert not np.array_equal(result.maps.refined, result.maps.heatmap)
    leave(stage, window, wait_until)
