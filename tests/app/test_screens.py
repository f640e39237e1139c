"""All screens: translated words, no flash between them, every action reachable by keys."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QFrame, QLabel, QLineEdit, QPushButton, QWidget

from app import stage_cards as c
from app.action_table import ACTIONS
from app.screen import screens
from app.texts import JsonTranslator
from app.widgets.folding_box import FoldingBox
from app.widgets.stage_pages import CardPage
from app.widgets.trial_list import TrialList
from domain.errors import TrackerError
from domain.session import TrackerInfo
from domain.study import Protocol, Role
from domain.trial import TrialRecord
from workflows.find_trackers import FoundTracker
from workflows.sample_study import open_sample_study

NO_KEY_OF_THEIR_OWN = {"study", "agreement"}
"""Screens that are reached by Tab in the rail only; all others have Ctrl and a number."""

ROOT = Path(__file__).resolve().parents[2]

MAX_FLASH = 0.02
"""A frame on the way may not be brighter than the brighter of its two screens by more than this (0-1)."""


def opened(window, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=4)
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    return study


def luminance_of(widget: QWidget) -> float:
    picture = widget.screen().grabWindow(0) if QApplication.platformName() == "xcb" else widget.grab()
    image = picture.toImage().scaled(192, 108).convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return float(((rows[:, : image.width()] / 255.0) ** 2.2).mean())


@pytest.mark.window
def test_that_no_frame_from_screen_to_screen_flashes(window, wait_until, tmp_path: Path):
    opened(window, tmp_path)
    window.setGeometry(window.screen().geometry())
    QTest.qWait(400)
    frames: list[float] = []
    timer = QTimer()
    timer.setInterval(30)
    timer.timeout.connect(lambda: frames.append(luminance_of(window)))
    names = [name for name in screens.names() if screens.get(name).in_rail]
    for name in [*names, *reversed(names)]:
        before = luminance_of(window)
        frames.clear()
        timer.start()
        window.navigate(name)
        wait_until(lambda: len(frames) >= 4)
        timer.stop()
        after = luminance_of(window)
        assert max(frames) <= max(before, after, frames[-1]) + MAX_FLASH, f"a flash on the way to {name}"
        if name not in ("correct", "labels", "review"):  # these show images
            assert after < 0.08, f"{name} is too bright for a dark room"


@pytest.mark.window
def test_that_every_action_has_a_key_and_a_place_where_it_works(window, tmp_path: Path):
    study = opened(window, tmp_path)
    for name in screens.names():
        window.navigate(name)
        QTest.qWait(20)
    from app.annotate_stage import AnnotateStage
    from workflows.annotate_images import AnnotationSession

    page = window.screen_widget("annotate")
    session = AnnotationSession(study, "anna", page.tracker_settings())
    stage = AnnotateStage(window.services, session, [], "polyp", clutch=False)
    actions = window.actions_registry
    bound = {*actions.bound_ids(window), *actions.bound_ids(stage)}
    held = {action.action_id for action in ACTIONS if action.is_held}
    known = {action.action_id for action in ACTIONS if not action.action_id.startswith("go.")}
    known |= {f"go.{name}" for name in screens.names() if screens.get(name).in_rail and name not in NO_KEY_OF_THEIR_OWN}
    # The calibration stage opens only over a tracker; its keys are tried in its own tests.
    stage_source = "".join(path.read_text("utf-8") for path in (ROOT / "app").glob("*.py") if "table" not in path.name)
    elsewhere = {name for name in known if name.startswith("calibrate.") and f'"{name}"' in stage_source}
    assert known - bound - held - elsewhere == set()
    assert [action.action_id for action in ACTIONS if not actions.keys(action.action_id)] == []
    stage.dismiss()
    stage.deleteLater()


class MarkingTranslator(JsonTranslator):
    """Puts a mark before every text that goes through `tr`."""

    def __init__(self) -> None:
        super().__init__({"any": "any"})

    def translate(self, context, source_text, disambiguation=None, n=-1):
        return f"¤{source_text}" if context == "sightline" else None


DATA = re.compile(
    r"Press shortcut|Scroll (Left|Right)|κ|IoU|anna|simulated|synthetic|ct_slice|polyp|Dice|viridis|magma|inferno"
    r"|cividis|/|^[\W\d_]*$|screen|:\d"
)


@pytest.mark.window
@pytest.mark.parametrize("search", ["goes on", "found one", "failed"])
def test_that_every_word_on_the_screens_goes_through_tr(
    qapp, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until, search: str
):
    # Real drivers take their time, and what they say came before or after the screens were read.
    may_end = threading.Event()

    def find() -> list[FoundTracker]:
        may_end.wait(60)
        if search == "failed":
            raise TrackerError("No driver could be asked.", "Restart the machine.")
        there = FoundTracker("gazepoint", "Gazepoint", TrackerInfo("gazepoint", model="GP3"), "GP3")
        return [there, FoundTracker("tobii", "Tobii", None, "Tobii: none found", "Plug it in.")]

    monkeypatch.setattr("app.screens.tracker.find_trackers", find)
    if search != "goes on":
        may_end.set()
    from app.entry import main_window
    from workflows.user_settings import UserSettings

    translator = MarkingTranslator()
    QApplication.instance().installTranslator(translator)
    window = main_window(UserSettings(path=str(own_home / "settings.json")))
    try:
        window.show()
        opened(window, tmp_path)
        bare: set[str] = set()
        for name in screens.names():
            window.navigate(name)
            QTest.qWait(60)
            if name == "tracker":
                form = window.screen_widget("tracker").form
                wait_until(lambda form=form: form._search.isEnabled() == (search != "goes on"))
            for widget in window.findChildren(QWidget):
                texts = [widget.toolTip(), widget.accessibleName()]
                if isinstance(widget, (QLabel, QAbstractButton)):
                    texts.append(widget.text())
                if isinstance(widget, QLineEdit):
                    texts.append(widget.placeholderText())
                bare |= {f"{name}: {text}" for text in texts if text and "¤" not in text and not DATA.search(text)}
        assert bare == set()
    finally:
        may_end.set()
        window.close()
        window.deleteLater()
        QApplication.instance().removeTranslator(translator)
        QApplication.processEvents()


@pytest.mark.window
def test_that_an_annotator_sees_only_what_an_annotator_needs(window, tmp_path: Path):
    opened(window, tmp_path)
    window.services.set_annotator("ben", Role.ANNOTATOR)
    hidden = {name for name in screens.names() if Role.ANNOTATOR not in screens.get(name).roles}
    shown = {name for name, made in window.rail.buttons.items() if made.isVisible()}
    assert {"export", "train", "study"} <= hidden
    assert not shown & hidden


@pytest.mark.window
def test_that_long_image_names_are_shortened_in_the_list_of_trials_and_whole_in_its_tooltip(qapp):
    name = "colonoscopy-of-a-very-patient-person-with-a-very-long-name-0042"
    shown = TrialList()
    shown.show_trials([TrialRecord("t1", name, "an-annotator-whose-name-does-not-fit", "polyp")], is_masked=False)
    shown.show()
    QTest.qWait(20)
    item = shown.item(0)
    first, second = item.text().splitlines()
    assert "…" in first
    assert first.endswith("0042")
    assert second.endswith("0 fixations")
    assert name in item.toolTip()
    assert shown.visualItemRect(item).width() <= shown.viewport().width()
    assert max(shown.fontMetrics().horizontalAdvance(line) for line in (first, second)) <= shown.viewport().width()
    shown.show_trials([TrialRecord("t1", name, "anna", "polyp")], is_masked=True)
    assert name not in shown.item(0).toolTip()
    shown.close()
    shown.deleteLater()


@pytest.mark.window
def test_that_a_card_of_the_stage_shows_all_its_words_whatever_stood_on_it_before(qapp):
    cards = [
        c.opening(),
        c.instruction(Protocol(), "polyp", ""),
        c.paused(),
        c.rest(30),
        c.tracker_gone(None),
        c.paused(),
    ]
    cards.append(c.skip())
    page = CardPage()
    page.resize(1300, 700)
    page.show()
    heights = []
    for card in cards:
        page.say(card.heading, card.words, card.keys, card.choices)
        QTest.qWait(20)
        buttons = [made for made in page.findChildren(QPushButton) if made.isVisible()]
        assert [made.text() for made in buttons] == [text for _, text in card.choices]
        assert all(made.height() >= made.sizeHint().height() for made in buttons)
        for shown in page.findChildren(QLabel):
            if shown.isVisible():
                assert shown.height() >= shown.heightForWidth(shown.width())
        heights.append(page.findChild(QFrame).height())
    assert heights[2] == heights[5] < heights[1]
    page.close()
    page.deleteLater()


@pytest.mark.window
def test_that_a_narrow_box_folds_and_a_wide_one_does_not(qapp):
    box = FoldingBox(600)
    for _ in range(2):
        box.add(QLabel("x" * 40))
    box.resize(700, 100)
    box.show()
    QTest.qWait(20)
    assert not box.is_folded
    box.resize(500, 100)
    QTest.qWait(20)
    assert box.is_folded
    box.close()
    box.deleteLater()
