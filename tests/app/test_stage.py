"""The stage on which images are looked at."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.full_screen import covers
from app.stage_phase import Phase
from domain.study import Outcome, Role, TrialStatus
from storage.session_file import read_session
from tests.app.stage_walk import (
    ANNOTATOR,
    look_and_answer,
    open_stage,
    visible_texts,
    widgets_on_the_image,
)
from workflows.sample_study import open_sample_study

N_IMAGES = 10


def make_study(folder: Path, n_frames: int):
    return open_sample_study(folder / "study", n_frames=n_frames)


@pytest.mark.window
@pytest.mark.slow
def test_that_a_worklist_of_10_images_is_done_with_keys_only(window, wait_until, tmp_path: Path):
    study = make_study(tmp_path, N_IMAGES - 1)  # and the CT slice
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    image_ids = [image.image_id for image in study.images()]
    assert len(image_ids) == N_IMAGES
    assert covers(stage, stage.screen())
    QTest.keyClick(stage, Qt.Key.Key_Return)
    frames: list[str] = []
    stage.canvas.painted.connect(
        lambda: frames.extend(type(w).__name__ for w in widgets_on_the_image(stage)) if stage.is_recording else None
    )
    for _ in range(N_IMAGES):
        look_and_answer(stage, study, wait_until)
        said = " ".join(visible_texts(stage, window))
        assert not [image_id for image_id in image_ids if image_id in said]
    assert not frames, f"on the image while recording: {frames}"
    wait_until(lambda: stage.phase is Phase.DONE)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)
    wait_until(lambda: window.services.desk.is_written)  # the last decision is in the journal, and on its way
    study = window.services.study
    statuses = study.statuses(ANNOTATOR, "polyp")
    assert {statuses[image_id] for image_id in image_ids} == {TrialStatus.DONE}
    trials = study.trials(annotator=ANNOTATOR, newest_only=True)
    no_target = {trial.image_id for trial in trials if trial.outcome is Outcome.NO_TARGET}
    truths = {image_id: study.ground_truth(image_id) for image_id in image_ids}
    assert no_target == {name for name, truth in truths.items() if truth is not None and not truth.any()}
    session = read_session(study.folder / trials[0].session_file)
    assert len(session.trials()) == N_IMAGES
    assert all(trial.payload["instruction_version"] == 1 for trial in session.trials())


@pytest.mark.window
def test_that_zoom_pan_and_flip_while_recording_are_logged_and_gaze_still_lands_on_the_target(
    window, wait_until, tmp_path: Path
):
    study = make_study(tmp_path, 3)
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.is_recording, 30)
    while not (truth := study.ground_truth(stage.image_id)) is not None or not truth.any():
        look_and_answer(stage, study, wait_until)
        wait_until(lambda: stage.is_recording, 30)
    image_id = stage.image_id
    changed_at = [0.0]
    for key in (Qt.Key.Key_Plus, Qt.Key.Key_H, Qt.Key.Key_V, Qt.Key.Key_Minus):
        stage.session.recording.advance(4.0)
        changed_at.append(changed_at[-1] + 4000.0)
        QTest.keyClick(stage, key)
    stage.session.recording.advance(4.0)
    n_before = len(stage.look.seconds_to_mask)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: len(stage.look.seconds_to_mask) > n_before, 90)
    record = stage.result.record
    xy = record.fixations.xy_norm * np.array(truth.shape[::-1])
    for began in changed_at:  # after each change the simulated eye searches before it dwells
        late = (record.fixations.start_ms > began + 2000) & (record.fixations.start_ms < began + 4000)
        columns, rows = xy[late].T.astype(int)
        on_image = (columns >= 0) & (rows >= 0) & (columns < truth.shape[1]) & (rows < truth.shape[0])
        assert truth[rows[on_image], columns[on_image]].mean() > 0.6, f"gaze lost {image_id} after {began} ms"
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)
    session = read_session(study.folder / record.session_file)
    shown = next(trial for trial in session.trials() if trial.trial_id == record.trial_id)
    assert len(shown.views) >= 5


@pytest.mark.window
def test_that_skip_asks_for_a_reason_flag_keeps_the_mask_and_undo_brings_the_image_back(
    window, wait_until, tmp_path: Path
):
    study = make_study(tmp_path, 3)
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.is_recording, 30)
    skipped = stage.image_id
    QTest.keyClick(stage, Qt.Key.Key_S)
    assert stage.phase is Phase.SKIP
    QTest.keyClick(stage, Qt.Key.Key_2)
    wait_until(lambda: stage.is_recording, 30)
    assert stage.image_id != skipped
    assert window.services.desk.status((skipped, "polyp")) is TrialStatus.SKIPPED
    flagged = stage.image_id
    stage.session.recording.advance(4.0)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    QTest.keyClick(stage, Qt.Key.Key_F)
    assert window.services.desk.status((flagged, "polyp")) is TrialStatus.FLAGGED
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(4.0)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    QTest.keyClick(stage, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    wait_until(lambda: stage.phase is Phase.RESULT and stage.image_id == flagged, 30)
    assert window.services.desk.status((flagged, "polyp")) is not TrialStatus.FLAGGED
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)


@pytest.mark.window
def test_that_gaze_counts_only_while_the_clutch_is_held(window, wait_until, tmp_path: Path):
    study = make_study(tmp_path, 2)
    window.services.settings.recording_mode = "clutch"
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(2.0)
    QTest.keyPress(stage, Qt.Key.Key_Space)
    stage.session.recording.advance(3.0)
    QTest.keyRelease(stage, Qt.Key.Key_Space)
    stage.session.recording.advance(2.0)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    record = stage.result.record
    assert record.quality.active_s == pytest.approx(3.0, abs=0.35)
    ends = record.fixations.start_ms + record.fixations.duration_ms
    assert record.fixations.start_ms.min() >= 1990
    assert ends.max() <= 5010
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)


@pytest.mark.window
def test_that_a_killed_tracker_keeps_what_there_is(window, wait_until, tmp_path: Path):
    study = make_study(tmp_path, 2)
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.is_recording, 30)
    stage.session.recording.advance(4.0)
    QTest.qWait(200)
    os.kill(stage.session.recording.host.pid, 9)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert len(stage.result.record.fixations) > 2
    # It comes back by itself, and the next image is looked at as if nothing had been.
    wait_until(lambda: stage.session.is_alive and stage.session.recording.earlier_parts, 90)
    first = stage.session.recording.earlier_parts[0]
    assert read_session(first).trials()[0].trial_id == stage.result.record.trial_id
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.is_recording, 60)
    stage.session.recording.advance(3.0)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert stage.result.record.session_file.endswith("-part2.h5")
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist", 60)
    wait_until(lambda: not window.tasks.active, 60)
    second = read_session(study.folder / stage.result.record.session_file)
    assert [trial.trial_id for trial in second.trials()] == [stage.result.record.trial_id]
