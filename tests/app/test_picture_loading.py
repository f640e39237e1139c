"""Images are read beside the window: what is on its way can be paged past, and no key acts on what nobody sees."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.background_task import TaskRunner
from app.let_run import let_run
from app.picture_loader import SLOW_AFTER_MS, PictureLoader
from domain.errors import BadFileError
from domain.study import Role, TrialStatus
from storage.study import Study
from workflows.edit_history import Decision
from workflows.sample_study import open_sample_study

CTRL = Qt.KeyboardModifier.ControlModifier


class Gate:
    """Holds the reading of chosen images until they are let through; says which were asked for and read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held: dict[str, threading.Event] = {}
        self.asked: list[str] = []
        self.broken: set[str] = set()
        stack = Study.stack

        def slow(study: Study, image_id: str) -> object:
            assert threading.current_thread() is not threading.main_thread(), "an image is read on the GUI thread"
            self.asked.append(image_id)
            if image_id in self.held:
                self.held[image_id].wait(20)
            if image_id in self.broken:
                raise BadFileError("the file is cut short.", "Copy it again.")
            return stack(study, image_id)

        monkeypatch.setattr(Study, "stack", slow)

    def hold(self, *image_ids: str) -> None:
        self.held |= {image_id: threading.Event() for image_id in image_ids}

    def let(self, image_id: str) -> None:
        self.held[image_id].set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch):
    made = Gate(monkeypatch)
    yield made
    for event in made.held.values():
        event.set()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = open_sample_study(tmp_path / "study", n_frames=6)
    for image in made.images():
        truth = made.ground_truth(image.image_id)
        for name, shift in (("anna", 3), ("ben", 9)):
            mask = np.roll(truth, shift, axis=1) if truth is not None else np.zeros(image.size[::-1], np.bool_)
            made.save_mask(image.image_id, name, "polyp", mask, origin="correction")
    return made


def opened(window, study: Study, screen: str, role: Role, **arguments: object):
    window.services.set_annotator("rita", role)
    window.use_study(study)
    window.navigate(screen, **arguments)
    return window.screen_widget(screen)


# the loader by itself


@pytest.fixture
def runner(qapp):
    made = TaskRunner(2)
    yield made
    made.close()


class Shown:
    """What a loader said, and a `read` that waits until it is let."""

    def __init__(self, runner: TaskRunner, held: tuple[int, ...] = ()) -> None:
        self.events = {number: threading.Event() for number in held}
        self.read_order: list[int] = []
        self.said: list[tuple[str, int]] = []
        self.loader: PictureLoader[int, str] = PictureLoader(
            runner,
            self.read,
            on_shown=lambda key, picture: self.said.append((picture, key)),
            on_failed=lambda key, _error: self.said.append(("failed", key)),
            on_slow=lambda key: self.said.append(("slow", key)),
        )

    def read(self, key: int) -> str:
        if key in self.events:
            self.events[key].wait(20)
        self.read_order.append(key)
        if key < 0:
            raise BadFileError("cut short.", "")
        return "shown"


def test_that_the_wanted_picture_comes_first_then_its_neighbours_which_are_then_there_at_once(runner, wait_until):
    one = Shown(runner)
    one.loader.want(5, ahead=(6, 4))
    assert one.loader.is_waiting
    wait_until(lambda: one.loader.is_idle and one.loader.shown == 5)
    assert one.read_order[0] == 5
    assert sorted(one.read_order) == [4, 5, 6]
    one.loader.want(6, ahead=(7, 5))
    assert one.said == [("shown", 5), ("shown", 6)]  # in the same turn of the loop
    wait_until(lambda: one.loader.is_idle)
    assert sorted(one.read_order) == [4, 5, 6, 7]


def test_that_what_was_paged_past_is_neither_shown_nor_read_where_it_had_not_begun(runner, wait_until):
    one = Shown(runner, held=(1, 2))
    for key in range(1, 9):
        one.loader.want(key)
    assert one.loader.shown is None
    one.events[1].set()
    one.events[2].set()
    wait_until(lambda: one.loader.shown == 8)
    wait_until(lambda: not runner.active)
    assert one.said == [("shown", 8)]
    assert set(one.read_order) <= {1, 2, 8}


def test_that_a_word_about_reading_comes_only_after_a_while_and_an_error_is_said(runner, wait_until):
    one = Shown(runner, held=(3,))
    one.loader.want(3)
    let_run(SLOW_AFTER_MS // 4)
    assert one.said == []
    wait_until(lambda: ("slow", 3) in one.said)
    one.events[3].set()
    wait_until(lambda: one.loader.shown == 3)
    one.loader.want(-1, ahead=(-2,))
    wait_until(lambda: ("failed", -1) in one.said)
    assert one.loader.shown is None
    assert not one.loader.is_waiting
    let_run(SLOW_AFTER_MS + 100)
    assert one.said == [("slow", 3), ("shown", 3), ("failed", -1)]


# the screens


@pytest.mark.window
def test_that_no_key_of_the_correct_screen_acts_on_an_image_that_is_not_seen(window, study, gate, wait_until):
    screen = opened(window, study, "correct", Role.ADMIN)
    wait_until(lambda: screen.place is not None and screen.pictures.is_idle)
    first = screen.place
    here = [row.image_id for row in screen._rows].index(first[0])
    ahead = screen._rows[(here + 2) % len(screen._rows)].image_id
    gate.hold(ahead)
    desk = window.services.desk
    before = desk.mask(first).copy()
    QTest.keyClick(screen, Qt.Key.Key_PageDown)
    middle = screen.canvas.rect().center()
    QTest.mousePress(screen.canvas, Qt.MouseButton.LeftButton, pos=middle)  # a stroke that the next key cuts short
    QTest.keyClick(screen, Qt.Key.Key_PageDown)
    assert screen.place is None
    QTest.mouseRelease(screen.canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(30, 0))
    QTest.keyClick(screen, Qt.Key.Key_Return, CTRL)
    for key in (Qt.Key.Key_Period, Qt.Key.Key_Comma, Qt.Key.Key_W, Qt.Key.Key_B):
        QTest.keyClick(screen, key)
    QTest.keyClick(screen, Qt.Key.Key_F, Qt.KeyboardModifier.ShiftModifier)
    for offset in (0, 40):
        QTest.mouseClick(screen.canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(offset, offset))
    screen.no_target()
    QTest.keyClick(screen, Qt.Key.Key_Z, CTRL)
    assert "still being read" in screen._saved.text()
    assert not desk.history.state.done
    assert not desk.history.state.decisions
    assert np.array_equal(desk.mask(first), before)
    wait_until(lambda: screen.canvas.words != "")  # the image before is not left standing for long
    assert screen.canvas.pixels is None
    gate.let(ahead)
    wait_until(lambda: screen.place == (ahead, "polyp"))
    QTest.keyClick(screen, Qt.Key.Key_Return, CTRL)
    assert [edit.place[0] for edit in desk.history.state.done if isinstance(edit, Decision)] == [ahead]


@pytest.mark.window
def test_that_quick_paging_leaves_out_what_was_paged_past(window, study, gate, wait_until):
    screen = opened(window, study, "correct", Role.ADMIN)
    wait_until(lambda: screen.place is not None and screen.pictures.is_idle)
    ids = [row.image_id for row in screen._rows]
    gate.hold(*ids)
    start = ids.index(screen.place[0])
    for _ in range(4):
        QTest.keyClick(screen, Qt.Key.Key_PageDown)
    wanted = ids[(start + 4) % len(ids)]
    assert screen.pictures.wanted == (wanted, "polyp")
    gate.let(wanted)
    for image_id in ids:
        gate.let(image_id)
    wait_until(lambda: screen.place == (wanted, "polyp"))
    assert screen._name.text() == wanted


@pytest.mark.window
def test_that_an_image_that_cannot_be_read_says_so_in_the_screen_and_the_next_can_be_had(
    window, study, gate, wait_until
):
    screen = opened(window, study, "correct", Role.ADMIN)
    wait_until(lambda: screen.place is not None and screen.pictures.is_idle)
    ids = [row.image_id for row in screen._rows]
    start = ids.index(screen.place[0])
    gate.broken = {ids[(start + 2) % len(ids)]}
    QTest.keyClick(screen, Qt.Key.Key_PageDown)
    QTest.keyClick(screen, Qt.Key.Key_PageDown)
    wait_until(lambda: "cut short" in screen.canvas.words)
    assert screen.place is None
    QTest.keyClick(screen, Qt.Key.Key_PageDown)
    wait_until(lambda: screen.place == (ids[(start + 3) % len(ids)], "polyp"))


@pytest.mark.window
def test_that_no_key_of_the_review_acts_on_a_case_that_is_not_seen(window, study, gate, wait_until):
    screen = opened(window, study, "review", Role.REVIEWER)
    wait_until(lambda: screen.is_seen and screen.pictures.is_idle)
    ids = [case.image_id for case in screen._cases]
    gate.hold(ids[2])
    QTest.keyClick(screen, Qt.Key.Key_PageDown)
    QTest.keyClick(screen, Qt.Key.Key_PageDown)
    assert not screen.is_seen
    for key in (Qt.Key.Key_A, Qt.Key.Key_F, Qt.Key.Key_R, Qt.Key.Key_E, Qt.Key.Key_K, Qt.Key.Key_U, Qt.Key.Key_Return):
        QTest.keyClick(screen, key)
    assert "still being read" in screen._panel.said.text()
    from workflows.review import all_reviews

    assert all_reviews(study) == []
    assert not screen.editing.is_active
    gate.let(ids[2])
    wait_until(lambda: screen.is_seen)
    QTest.keyClick(screen, Qt.Key.Key_A)
    assert [review.image_id for review in all_reviews(study)] == [ids[2]]


@pytest.mark.window
def test_that_the_stage_records_nothing_before_the_image_is_there(window, study, gate, wait_until):
    from app.stage_phase import Phase
    from tests.app.stage_walk import ANNOTATOR, open_stage

    study.add_annotator(ANNOTATOR, Role.ANNOTATOR)
    for image in study.images():
        study.set_status(image.image_id, ANNOTATOR, "polyp", TrialStatus.NEW)
    gate.hold(*(image.image_id for image in study.images()))
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    let_run(4 * stage.image.start_target_ms)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_N, Qt.Key.Key_S, Qt.Key.Key_F):
        QTest.keyClick(stage, key)
    let_run(60)
    assert stage.phase is Phase.START_TARGET
    assert not stage.is_recording
    gate.let(stage.image_id)
    wait_until(lambda: stage.is_recording, 30)
    assert stage.canvas.pixels is not None
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)


@pytest.mark.window
def test_that_the_stage_says_which_image_cannot_be_read_and_goes_on_with_the_next(window, study, gate, wait_until):
    from app.stage_phase import Phase
    from tests.app.stage_walk import ANNOTATOR, open_stage

    study.add_annotator(ANNOTATOR, Role.ANNOTATOR)
    first, second = study.order(ANNOTATOR)[:2]
    gate.broken = {first}
    stage = open_stage(window, study, wait_until, role=Role.ANNOTATOR)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: stage.phase is Phase.CARD and "cut short" in stage.card.text)
    QTest.keyClick(stage, Qt.Key.Key_N)  # says nothing about an image that nobody saw
    assert window.services.desk.history.state.decisions == {}
    QTest.keyClick(stage, Qt.Key.Key_S)
    assert stage.phase is Phase.SKIP
    QTest.keyClick(stage, Qt.Key.Key_1)
    assert window.services.desk.status((first, "polyp")) is TrialStatus.SKIPPED
    wait_until(lambda: stage.is_recording, 30)
    assert stage.image_id == second
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)
