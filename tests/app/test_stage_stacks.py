"""Slices of a volume: each is an image of its own; its neighbours may be looked at, and gaze on them does not count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.let_run import let_run
from app.stage_phase import Phase
from domain.fixations import ImageFixations
from domain.study import Role, StudyImage, StudySettings, Target
from domain.trial import TrialRecord
from storage.study import Study
from tests.app.stage_walk import ANNOTATOR, open_stage
from tests.dicom_series import plane, write_series
from workflows.import_images import import_to_folder
from workflows.predict_masks import MODEL_AUTHOR, PredictedImage
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


@pytest.fixture
def series(tmp_path: Path) -> Study:
    """A DICOM series with one file per slice, whose names are in another order."""
    write_series(tmp_path / "in", N_SLICES)
    import_to_folder("folder", tmp_path / "in", tmp_path / "study")
    made = Study.open(tmp_path / "study")
    made.update_settings(replace(made.settings, targets=(Target("polyp"),), is_simulated=True))
    made.add_annotator(ANNOTATOR, Role.ANNOTATOR)
    return made


def test_that_a_series_is_scrolled_and_gaze_counts_on_the_slice_that_is_asked_for(window, wait_until, series: Study):
    stage = open_stage(window, series, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.is_recording, 30)
    asked = [image.image_id for image in series.images()].index(stage.image_id)
    assert stage.canvas.view.slice_index == stage.canvas.home_slice == asked
    key = Qt.Key.Key_Down if asked < N_SLICES - 1 else Qt.Key.Key_Up
    there = asked + (1 if key is Qt.Key.Key_Down else -1)
    stage.session.recording.advance(3.0)
    QTest.keyClick(stage, key)
    assert stage.canvas.view.slice_index == there
    assert np.array_equal(stage.canvas.pixels.one_slice(there).values[0], plane(there))
    assert f"Slice {there + 1} of {N_SLICES}" in stage.result_bar.remark.text()
    wait_until(lambda: stage.canvas.pixels.n_loaded == N_SLICES, 20)  # read ahead, beside the window
    # A slice whose file has gone bad meanwhile is told; what is on the screen stays there.
    stage.canvas.pixels._kept.clear()
    series.absolute(series.images()[there].path).write_bytes(b"x" * 200)
    stage.canvas.go_to_slice(asked)
    stage.canvas.go_to_slice(there)
    assert stage.canvas.view.slice_index == asked
    assert "cannot be read" in stage.result_bar.remark.text() or "not an image" in stage.result_bar.remark.text()
    stage.session.recording.advance(3.0)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.phase is Phase.RESULT, 90)
    assert stage.result.record.image_id == series.images()[asked].image_id
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)


@pytest.mark.parametrize("name", ["correct", "review", "labels", "predict"])
def test_that_every_page_with_an_image_scrolls_through_the_series(window, wait_until, series: Study, name: str):
    image_id = series.images()[HOME].image_id
    author = MODEL_AUTHOR if name == "predict" else ANNOTATOR
    series.save_mask(image_id, author, "polyp", np.ones((20, 24), np.bool_), origin="model")
    looked = ImageFixations(np.array([[0.4, 0.5]]), np.array([300.0]), np.array([0.0]), pupil=np.array([3.0]))
    series.save_trial(TrialRecord("t", image_id, ANNOTATOR, "polyp", fixations=looked))
    window.services.set_annotator("rita", Role.ADMIN)
    window.use_study(series)
    window.navigate(name, image_id=image_id)
    screen = window.screen_widget(name)
    canvas = screen._canvas if name == "predict" else screen.canvas
    if name == "predict":
        screen._show_list_of((screen._target.currentText(), [PredictedImage(image_id, 0.5, 0.1)]))
    wait_until(lambda: canvas.pixels is not None, 30)
    assert (canvas.pixels.n_slices, canvas.home_slice, canvas.view.slice_index) == (N_SLICES, HOME, HOME)
    wheel(canvas, -120)
    assert canvas.view.slice_index == HOME + 1
    assert not canvas.is_on_home_slice
    let_run(50)
    assert canvas._image_bytes[0, 0, 0] == canvas.pixels.display_u8(HOME + 1)[0, 0, 0]


def wheel(canvas, turn: int) -> None:
    """Turn the mouse wheel over a canvas."""
    middle = QPointF(canvas.rect().center())
    at = canvas.mapToGlobal(middle)
    none, no_keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    turned = QWheelEvent(middle, at, QPoint(), QPoint(0, turn), none, no_keys, Qt.ScrollPhase.NoScrollPhase, False)
    QApplication.sendEvent(canvas, turned)


def test_that_labels_of_a_slice_in_a_stack_are_made_of_what_they_are_made_of_alone(study: Study):
    """A stack is shown through one window for all slices; labels do not depend on its other slices."""
    stack, slice_index = study.stack("v_3")
    assert (stack.n_slices, slice_index) == (N_SLICES, HOME)
    alone = study.pixels("v_3")
    assert alone.n_slices == 1
    assert np.array_equal(stack.one_slice(HOME).display_u8(), alone.display_u8())
    assert len({stack.default_window(index) for index in range(N_SLICES)}) == 1


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
