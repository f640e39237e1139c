"""Training from the page: what it will take, curves, stop and resume, and a model put into use and taken back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton, QScrollArea

from app.main_window import MainWindow
from app.model_choice import comparison_words
from app.screens.train import TrainScreen
from app.widgets.run_history import RunHistory
from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from domain.study import Role
from domain.trial import TrialRecord
from storage.study import Study
from training.messages import RunState
from workflows.model_comparison import Comparison
from workflows.model_shelf import active_model
from workflows.sample_study import open_sample_study
from workflows.train_model import RunSummary, runs_of

SMALL = {"features": [4, 8, 8, 8, 8, 8], "feature_dim": 8, "size_px": 32, "batch": 4, "threads": 1, "device": "cpu"}


def looked_at(folder: Path) -> Study:
    """The sample study with a blurred truth as the map of every image: labels without minutes of simulated gaze."""
    study = open_sample_study(folder, n_frames=12)
    study.add_annotator("anna", Role.ADMIN)
    fixations = ImageFixations(np.array([[0.5, 0.5]]), np.array([300.0]), np.zeros(1), np.ones(1))
    for image in study.images():
        truth = study.ground_truth(image.image_id)
        if truth is None or not truth.any():
            continue
        heat = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 9)
        trial = f"t-{image.image_id}"
        study.save_trial(TrialRecord(trial, image.image_id, "anna", "polyp", fixations=fixations, is_simulated=True))
        study.save_maps(trial, LabelMaps(heat, heat / heat.max(), LabelParameters()))
    return study


def click(box: QMessageBox, words: str) -> None:
    found = next(made for made in box.findChildren(QPushButton) if made.text() == words)
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)


@pytest.mark.window
@pytest.mark.slow
def test_that_a_study_is_trained_stopped_resumed_and_its_model_put_into_use_and_taken_back(
    window: MainWindow, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    study = looked_at(tmp_path / "study")
    window.resize(1366, 768)
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    page = window.screen_widget("train")
    assert isinstance(page, TrainScreen)
    page.changes = {**SMALL, "steps": 4000, "checkpoint_every": 20, "evaluate_every": 20}
    window.navigate("train")
    assert page.card.command_line.text().startswith("sightline train ")
    assert "--set steps=4000" in page.card.command_line.text()
    assert page.card.command_line.text().count("--labels auto") == 1
    page.card.chooses_labels.setChecked(False)
    assert "--labels" not in page.card.command_line.text()
    wait_until(lambda: page.card.cost_words.startswith("Predicted: processor (CPU)"), 60)
    assert page.card.cost_words.endswith((" MB", " GB"))

    offered = page.card.command_line.text()
    QTest.mouseClick(page.card.start_button, Qt.MouseButton.LeftButton)
    wait_until(lambda: page.curves.dice_plot.n_points("Dice (val)") >= 2, 90)
    assert page.card.command_line.text() == offered, "the line that does the same, not the worker's own"
    assert not page.history.resume.isEnabled()
    page.stop()
    wait_until(lambda: page.run is None, 30)
    stopped = runs_of(study)[0]
    assert stopped.state is RunState.STOPPED
    assert page.history.resume.isEnabled()
    assert not page.history.use.isEnabled()

    QTest.mouseClick(page.history.resume, Qt.MouseButton.LeftButton)
    wait_until(lambda: page.run is not None, 30)
    assert page.card.command_line.text().endswith(f"--resume {stopped.name}")
    n_before = page.curves.loss_plot.n_points("loss")
    assert n_before > 0, "the curve of before stays"
    wait_until(lambda: page.curves.loss_plot.n_points("loss") > n_before, 60)
    page.run.finish()
    wait_until(lambda: page.run is None, 60)
    assert runs_of(study)[0].has_model
    assert page.views.worst.list.count() == 1, "one validation image has a mask"
    page.views.setCurrentWidget(page.views.worst)
    first = page.views.worst.list.item(0)
    page.views.worst.list.itemClicked.emit(first)
    wait_until(lambda: window.screen_widget("correct").isVisible())
    window.navigate("train")
    folder = Path(os.environ.get("SIGHTLINE_PICTURES") or tmp_path)
    QTest.qWait(300)
    assert window.grab().save(str(folder / "train.png"))

    QTest.mouseClick(page.history.use, Qt.MouseButton.LeftButton)
    wait_until(lambda: page.choice.question is not None, 90)
    assert "reviewed mask" in page.choice.question.informativeText()
    assert window.grab().save(str(folder / "train-choice.png"))
    click(page.choice.question, "Use it")
    wait_until(lambda: active_model(study) is not None and page.choice.question is None)
    assert not page.history.use.isEnabled()
    assert page.history.back.isVisible()
    QTest.mouseClick(page.history.back, Qt.MouseButton.LeftButton)
    assert active_model(study) is None
    assert not page.history.back.isVisible()


@pytest.mark.window
def test_that_a_refused_training_says_on_the_page_why_and_what_to_do(
    window: MainWindow, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    study = looked_at(tmp_path / "study")
    beside = ImageFixations(np.array([[1.5, 0.5]]), np.array([300.0]), np.zeros(1), np.ones(1))
    for trial in study.trials():
        study.save_trial(replace(trial, fixations=beside))
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    page = window.screen_widget("train")
    assert isinstance(page, TrainScreen)
    page.changes = dict(SMALL)
    page.card.chooses_labels.setChecked(False)
    window.navigate("train")
    page.start()
    wait_until(lambda: page.run is not None, 30)
    wait_until(lambda: page.run is None, 60)
    shown = " ".join(words.text() for words in page.findChildren(QLabel) if words.isVisible())
    assert "most of the looking time lies off the image" in shown
    assert "Calibrate again" in shown
    assert runs_of(study)[0].state is RunState.FAILED
    assert page.card.start_button.isEnabled()


@pytest.mark.window
def test_that_the_page_shows_all_of_a_run_on_a_small_screen(window: MainWindow, tmp_path: Path) -> None:
    window.resize(1366, 768)
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(looked_at(tmp_path / "study"))
    page = window.screen_widget("train")
    assert isinstance(page, TrainScreen)
    window.navigate("train")
    page.card.suggest("tiny", "no_gpu")
    page.card.show_cost("Predicted: processor (CPU), fp32: about 48 s, 555 MB")
    page.card.progress.begin()
    page.card.progress.show_step(
        {"step": 3, "total": 9, "it_per_s": 0.04, "eta_s": 150.0, "memory_bytes": 2e9, "event": "step"}
    )
    page.card.progress.show_dice(0.7512)
    QTest.qWait(100)
    shown = {words.text(): words for words in page.card.progress.findChildren(QLabel) if words.isVisible()}
    assert list(shown) == ["25 s a step", "2 min left", "2.0 GB", "Dice 0.751"]
    assert all(words.height() >= words.fontMetrics().height() for words in shown.values())
    bar = page.findChild(QScrollArea).verticalScrollBar()
    assert bar.maximum() == 0, "nothing of the left column is out of sight"
    page.card.allow(is_running=True, is_busy=False, is_paused=True, is_stopping=False)
    assert not page.card.chooses_labels.isVisible()


@pytest.mark.window
def test_that_the_history_follows_the_run_that_goes_on(qapp: object) -> None:
    history = RunHistory()
    history.show_runs([RunSummary("b", Path(), RunState.STOPPED, "tiny", 0, 9, None, False)])
    history.show_progress("b", RunState.PAUSED, 4)
    history.show_progress("b", RunState.TRAINING, 5, 0.5)
    history.show_progress("a", RunState.DONE, 9)
    assert [history.table.item(0, place).text() for place in range(4)] == ["b", "training", "5 / 9", "0.500"]
    history.deleteLater()


@pytest.mark.window
def test_that_the_history_offers_only_what_a_run_can_do(qapp: object) -> None:
    history = RunHistory()
    states = (RunState.DONE, RunState.STOPPED, RunState.TRAINING, RunState.FAILED)
    history.show_runs(
        [
            RunSummary(str(n), Path(), state, "tiny", 5, 9, None, state is RunState.DONE)
            for n, state in enumerate(states)
        ]
    )
    offered = []
    for line in range(len(states)):
        history.table.setCurrentCell(line, 0)
        offered.append((history.resume.isEnabled(), history.use.isEnabled()))
    assert offered == [(False, True), (True, False), (False, False), (True, False)]
    history.table.setCurrentCell(0, 0)
    history.show_models("0", "1")
    assert history.table.item(0, 1).text() == "in use"
    assert not history.use.isEnabled()
    assert history.back.text() == "Back to 1"
    history.allow(is_busy=True)
    assert not history.back.isEnabled()
    history.deleteLater()


def test_that_before_and_after_are_told_with_their_interval() -> None:
    assert comparison_words(Comparison(1, 0.8125)) == "Dice 0.812 on 1 reviewed mask. No model is in use yet."
    words = comparison_words(Comparison(7, 0.7, 0.8, -0.1, -0.15, -0.05))
    assert "before 0.800, after 0.700 on 7 reviewed masks" in words
    assert "-0.150 to -0.050" in words
    assert words.endswith("The new model is worse.")
    assert "worse" not in comparison_words(Comparison(7, 0.79, 0.8, -0.01, -0.05, 0.03))
