"""What the train page says is so at every moment: before, while it prepares, while a run goes on, and at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.background_task import Task, TaskRunner
from app.main_window import MainWindow
from app.screens.train import TrainScreen
from app.widgets.top_bar import TopBar
from domain.events import Progress, share_of
from domain.study import Role
from storage.study import Study
from tests.app.test_train_page import SMALL, click, looked_at
from workflows.interrupted_training import interrupted_run
from workflows.sample_study import open_sample_study


@pytest.fixture
def page(window: MainWindow, tmp_path: Path) -> TrainScreen:
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(looked_at(tmp_path / "study"))
    found = window.screen_widget("train")
    assert isinstance(found, TrainScreen)
    found.changes = {**SMALL, "steps": 4000, "checkpoint_every": 20, "evaluate_every": 2000}
    found.card.chooses_labels.setChecked(False)
    window.navigate("train")
    return found


@pytest.mark.window
def test_that_nothing_can_be_trained_without_labels_and_the_page_says_why(window: MainWindow, tmp_path: Path) -> None:
    window.use_study(open_sample_study(tmp_path / "study", n_frames=2))
    window.navigate("train")
    card = window.screen_widget("train").card
    assert not card.start_button.isEnabled()
    assert card._why_not.isVisible()
    assert "annotate images first" in card._why_not.text()


@pytest.mark.window
def test_that_a_question_nobody_waits_for_leaves_no_words(
    window: MainWindow, page: TrainScreen, wait_until: Callable[..., None]
) -> None:
    wait_until(lambda: "Asking" in page.card.cost_words)
    page._cost_question.stop()
    assert page.card.cost_words == ""
    page.card.show_cost("Predicted: an hour")
    page._cost_question.stop()
    assert page.card.cost_words == "Predicted: an hour", "an answer that came stays"


@pytest.mark.window
def test_that_stop_works_while_the_training_is_prepared(page: TrainScreen, wait_until: Callable[..., None]) -> None:
    page.start()
    assert page.card._stop_button.isEnabled()
    assert page.under_way()
    page.card._stop_button.click()
    wait_until(lambda: page.card.start_button.isEnabled(), 60)
    assert page.run is None
    assert "Stopped" in page.card._state.text()


@pytest.mark.window
@pytest.mark.slow
def test_that_quitting_while_training_asks_and_keeps_what_was_learnt(
    window: MainWindow, page: TrainScreen, wait_until: Callable[..., None]
) -> None:
    folder = window.services.open_study.folder
    page.start()
    wait_until(lambda: page.run is not None, 60)
    assert page.history.table.item(0, 1).text() != "stopped"
    wait_until(lambda: page.curves.loss_plot.n_points("loss") >= 2, 90)
    window.navigate("worklist")
    window.navigate("train")
    assert page.history.table.item(0, 1).text() == "training"
    window.navigate("worklist")
    window.close()
    assert window.isVisible()
    assert "can be resumed" in window.quit_question.informativeText()
    click(window.quit_question, "Keep the window open")
    wait_until(lambda: window.quit_question is None)
    assert page.run is not None
    assert page.run.is_alive
    window.close()
    click(window.quit_question, "Stop and quit")
    wait_until(lambda: not window.isVisible(), 60)
    assert list((folder / "runs").glob("*/checkpoints/*"))
    with Study.open(folder) as again:
        cut_off = interrupted_run(again)
        assert cut_off is not None, "it is offered when the study is opened again"
        assert cut_off.step > 0


@pytest.mark.window
@pytest.mark.slow
def test_that_a_training_outlives_a_change_of_people_and_a_change_of_study_is_told(
    window: MainWindow, page: TrainScreen, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    before = window.services.open_study.folder
    page.start()
    wait_until(lambda: page.run is not None and "step" in page.run.last, 90)
    window.navigate("worklist")
    window.services.set_annotator("ben", Role.ADMIN)
    assert window.screen_widget("train") is page
    assert page.run is not None
    assert page.run.is_alive
    window.use_study(open_sample_study(tmp_path / "other", n_frames=2))
    assert any("stopped with a checkpoint" in words for words in window.notices.words.values())
    with Study.open(before) as again:
        assert interrupted_run(again) is not None


@pytest.mark.window
@pytest.mark.slow
def test_that_a_training_that_was_stopped_by_its_button_is_not_offered_again(
    window: MainWindow, page: TrainScreen, wait_until: Callable[..., None]
) -> None:
    page.start()
    wait_until(lambda: page.run is not None, 60)
    page.stop()
    wait_until(lambda: page.run is None, 60)
    assert page.history.table.item(0, 1).text() == "stopped"
    assert interrupted_run(window.services.open_study) is None


@pytest.mark.window
def test_that_the_bar_at_the_top_shows_one_task_at_a_time(window: MainWindow) -> None:
    runner = TaskRunner(n_threads=1, parent=window)
    bar = TopBar(window.services, runner)
    first, second = (Task(words, lambda _report, _cancel: None) for words in ("first", "second"))
    bar._on_task_started(first)
    bar._on_task_started(second)
    first.progressed.emit(Progress(5, 10))
    second.progressed.emit(Progress(1, 10))
    assert (bar._task_label.text(), bar._task_bar.value()) == ("first", 5)
    first.is_over = True
    first.ended.emit()
    second.progressed.emit(Progress(2, 10))
    assert (bar._task_label.text(), bar._task_bar.value()) == ("second", 2)
    runner.close()
    bar.deleteLater()


def test_that_two_parts_of_a_work_make_one_that_never_goes_back() -> None:
    told: list[Progress] = []
    for begin, end in ((0.0, 0.7), (0.7, 1.0)):
        for done in range(5):
            share_of(told.append, begin, end)(Progress(done, 4))
    shares = [one.fraction for one in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
