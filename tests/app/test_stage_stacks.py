"""Slices of a volume: each is an image of its own; its neighbours may be looked at, and gaze on them does not count."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.stage_phase import Phase
from domain.study import Role, StudyImage, StudySettings, Target
from storage.study import Study
from tests.app.stage_walk import ANNOTATOR, open_stage
from workflows.view_trial import raw_samples_on_image

pytestmark = pytest.mark.window
N_SLICES, HOME = 7, 3


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """One slice out of the middle of a NIfTI volume whose slices differ."""
    made = Study.create(tmp_path / "study", StudySettings("stack", (Target("polyp"),), is_simulated=True))
    volume = np.random.default_rng(1).normal(100, 20, (90, 80, N_SLICES)) + 40 * np.arange(N_SLICES)
    nibabel.save(nibabel.Nifti1Image(volume.astype(np.int16), np.eye(4)), made.folder / "images" / "v.nii.gz")
    made.add_images([StudyImage("v_3", "images/v.nii.gz", (90, 80), slice_index=HOME)])
    made.add_annotator(ANNOTATOR, Role.ANNOTATOR)
    return made


def test_that_a_slice_of_a_stack_looks_like_the_slice_alone(study: Study):
    stack, slice_index = study.stack("v_3")
    assert (stack.n_slices, slice_index) == (N_SLICES, HOME)
    alone = study.pixels("v_3")
    assert alone.n_slices == 1
    assert np.array_equal(stack.display_u8(HOME), alone.display_u8())


def test_that_gaze_on_the_neighbours_of_a_slice_does_not_count(window, wait_until, study: Study):
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.is_recording, 30)
    assert stage.canvas.view.slice_index == HOME
    stage.session.recording.advance(4.0)
    QTest.keyClick(stage, Qt.Key.Key_Down)
    assert stage.canvas.view.slice_index != HOME
    assert f"slice {HOME + 1} only" in stage.result_bar.remark.text()
    stage.session.recording.advance(4.0)
    QTest.keyClick(stage, Qt.Key.Key_Up)
    assert stage.canvas.view.slice_index == HOME
    stage.session.recording.advance(4.0)
    QTest.keyClick(stage, Qt.Key.Key_Down)
    stage.session.recording.advance(0.2)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert stage.canvas.view.slice_index == HOME  # the mask is shown on the slice that it belongs to
    result = stage.result
    assert result.maps.refined.shape == (80, 90)
    starts = result.record.fixations.start_ms
    ends = starts + result.record.fixations.duration_ms
    assert starts.size > 4
    assert not np.any((ends > 4020) & (starts < 7980)), "a fixation on another slice counts"
    assert np.any(starts >= 7980)
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)
    check_raw_gaze_by_slice(window, wait_until, study)


def check_raw_gaze_by_slice(window, wait_until, study: Study) -> None:
    """On each slice of the stack the samples that fell on it, and on the home slice alone what belongs to the image."""
    raw = raw_samples_on_image(study, study.trials()[-1])
    n_home, n_other = (int((raw.slice_index == index).sum()) for index in (HOME, HOME + 1))
    assert n_home > 0
    assert n_other > 0
    assert n_home + n_other == len(raw.xy)
    window.services.set_annotator(ANNOTATOR, Role.ADMIN)
    window.navigate("labels")
    screen = window.screen_widget("labels")
    wait_until(lambda: screen.has_maps and screen._shown["samples"].isEnabled() and len(screen._samples.xy) > 0, 30)
    assert screen.canvas.slice_layer is None
    screen._shown["samples"].setChecked(True)
    assert screen.canvas.view.slice_index == HOME
    assert screen.canvas.slice_layer.n_points == n_home
    screen.canvas.step_slice(1)
    assert screen.canvas.slice_layer.n_points == n_other
    screen.canvas.step_slice(1)
    assert screen.canvas.slice_layer is None


def test_that_the_mask_of_a_slice_is_neither_shown_nor_changed_on_its_neighbours(window, wait_until, study: Study):
    window.services.set_annotator(ANNOTATOR, Role.ANNOTATOR)
    window.use_study(study)
    window.navigate("correct", image_id="v_3")
    screen = window.screen_widget("correct")
    wait_until(lambda: screen.place is not None)
    place, middle = ("v_3", "polyp"), screen.canvas.rect().center()

    def stroke() -> None:
        QTest.mousePress(screen.canvas, Qt.MouseButton.LeftButton, pos=middle)
        QTest.mouseMove(screen.canvas, middle + QPoint(20, 10))
        QTest.mouseRelease(screen.canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(20, 10))

    screen.canvas.go_to_slice(HOME + 1)
    stroke()
    assert not window.services.desk.mask(place).any()
    screen.canvas.go_to_slice(HOME)
    stroke()
    assert window.services.desk.mask(place).any()
    screen.canvas.set_brush(None)
    with_mask = screen.canvas.grab().toImage()
    screen.canvas.toggle_overlays()
    assert screen.canvas.grab().toImage() != with_mask
    screen.canvas.go_to_slice(HOME + 1)
    without = screen.canvas.grab().toImage()
    screen.canvas.toggle_overlays()
    assert screen.canvas.grab().toImage() == without
