"""Roles on the screens: signing in by keys, the lock, and that each role sees exactly its screens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.error_dialog import ErrorDialog
from app.screen import screens
from domain.study import Role
from storage.accounts import MAX_FAILURES
from workflows.sample_study import open_sample_study

SECRET = "correct horse"
EVERYBODY = {"welcome", "worklist", "annotate", "correct", "tracker", "settings"}
SEES = {
    "anna": EVERYBODY,
    "rita": EVERYBODY | {"labels", "review", "agreement"},
    "adam": {name for name in screens.names() if screens.get(name).in_rail},
}


@pytest.fixture
def guarded(window, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=2)
    for name, role in (("adam", Role.ADMIN), ("anna", Role.ANNOTATOR), ("rita", Role.REVIEWER)):
        study.add_annotator(name, role)
    study.set_password("adam", SECRET)
    study.sign_in("adam", SECRET)
    for name in ("anna", "rita"):
        study.set_password(name, SECRET)
    study.sign_out()
    image = study.images()[0]
    window.use_study(study)
    QTest.qWait(50)
    assert window.current_screen == "sign_in"
    assert image.image_id
    return study


def type_in(window, name: str, secret: str) -> None:
    screen = window.screen_widget("sign_in")
    screen.people.setFocus()
    for _ in range(screen.people.count()):
        if screen.people.currentData().name == name:
            break
        QTest.keyClick(screen.people, Qt.Key.Key_Down)
    else:
        QTest.keyClick(screen.people, Qt.Key.Key_Home)
    while screen.people.currentData().name != name:
        QTest.keyClick(screen.people, Qt.Key.Key_Down)
    QTest.keyClick(screen.people, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is screen.password
    QTest.keyClicks(screen.password, secret)
    QTest.keyClick(screen.password, Qt.Key.Key_Return)


def refusal_shown() -> str:
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, ErrorDialog) and widget.isVisible():
            from tests.app.stage_walk import visible_texts

            said = " ".join(visible_texts(widget))
            widget.accept()
            return said
    return ""


@pytest.mark.window
@pytest.mark.parametrize("name", SEES)
def test_that_each_role_signs_in_by_keys_and_sees_exactly_its_screens(window, guarded, wait_until, name: str):
    type_in(window, name, SECRET)
    wait_until(lambda: window.current_screen == "worklist")
    shown = {screen for screen, made in window.rail.buttons.items() if made.isVisible() and made.isEnabled()}
    assert shown == SEES[name]
    assert guarded.actor == name
    for screen in sorted(set(SEES["adam"]) - SEES[name]):
        window.navigate(screen)
        QTest.qWait(30)
        assert window.current_screen == "worklist"
        assert "is for" in refusal_shown()


@pytest.mark.window
def test_that_nothing_of_the_study_is_shown_before_somebody_signs_in(window, guarded):
    for screen in (name for name in screens.names() if screens.get(name).needs_study):
        window.navigate(screen)
        assert window.current_screen == "sign_in"
    window.navigate("study")
    QTest.qWait(30)
    assert "is for" in refusal_shown()


@pytest.mark.window
def test_that_wrong_passwords_lock_the_account_and_the_screen_says_so(window, guarded, wait_until):
    screen = window.screen_widget("sign_in")
    for _ in range(MAX_FAILURES):
        screen._problem.setText("")
        type_in(window, "rita", "wrong horse")
        wait_until(lambda: "wrong" in screen._problem.text())
    type_in(window, "rita", SECRET)
    wait_until(lambda: "locked" in screen._problem.text())
    assert "minutes" in screen._problem.text()
    assert window.current_screen == "sign_in"


@pytest.mark.window
def test_that_the_next_person_starts_clean_after_switch_user(window, guarded, wait_until):
    type_in(window, "anna", SECRET)
    wait_until(lambda: window.current_screen == "worklist")
    image = guarded.images()[0].image_id
    guarded.save_mask(image, "anna", "polyp", np.zeros(guarded.pixels(image).size[::-1], np.bool_), origin="correction")
    QTest.keyClick(window, Qt.Key.Key_U, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert window.current_screen == "sign_in"
    assert guarded.person is None
    assert window._bar._annotator_label.text() == "Not signed in"
    type_in(window, "rita", SECRET)
    wait_until(lambda: window.current_screen == "worklist")
    window.navigate("review")
    assert window.current_screen == "review"
    assert window.services.role is Role.REVIEWER
    guarded.note("looked", "x", {})
    assert guarded.audit_entries()[-1].actor == "rita"


@pytest.mark.window
def test_that_the_first_password_set_on_the_screen_makes_everybody_sign_in(window, tmp_path: Path, wait_until):
    study = open_sample_study(tmp_path / "study", n_frames=2)
    study.add_annotator("adam", Role.ADMIN)
    window.use_study(study)
    window.navigate("study")
    card = window.screen_widget("study")._people
    names = [person.name for person in study.annotators()]
    card.people.setCurrentRow(names.index("adam"))
    card.set_password()
    dialog = next(w for w in QApplication.topLevelWidgets() if type(w).__name__ == "PasswordDialog" and w.isVisible())
    QTest.keyClicks(dialog.first, SECRET)
    QTest.keyClicks(dialog.second, SECRET + "!")
    QTest.keyClick(dialog.second, Qt.Key.Key_Return)
    assert "not the same" in dialog._problem.text()
    QTest.keyClick(dialog.second, Qt.Key.Key_Backspace)
    QTest.keyClick(dialog.second, Qt.Key.Key_Return)
    wait_until(lambda: window.current_screen == "sign_in")
    assert study.is_guarded
    window.activateWindow()  # there is no window manager that gives the focus back when the dialog closes
    assert QTest.qWaitForWindowActive(window, 5000)
    type_in(window, "adam", SECRET)
    wait_until(lambda: window.current_screen == "worklist")


@pytest.mark.window
def test_that_a_password_checked_for_one_study_signs_nobody_in_to_another(window, guarded, wait_until, tmp_path: Path):
    type_in(window, "adam", SECRET)
    assert not window.screen_widget("sign_in")._go.isEnabled()  # the password is being checked
    other = open_sample_study(tmp_path / "other", n_frames=2)
    other.add_annotator("olga", Role.ADMIN)
    other.set_password("olga", SECRET)
    window.use_study(other)
    wait_until(lambda: not window.tasks.active)
    QTest.qWait(50)
    assert window.services.is_signed_out
    assert window.services.annotator != "adam"
    assert refusal_shown() == ""
    assert window.current_screen == "sign_in"


@pytest.mark.window
def test_that_programs_are_neither_listed_nor_entered_as_people(window, tmp_path: Path):
    study = open_sample_study(tmp_path / "sample", n_frames=2)
    study.add_annotator("anna", Role.ADMIN)
    window.services.set_annotator("me", Role.ADMIN)
    window.services.settings.annotator = "me"
    window.use_study(study)
    window.navigate("study")
    card = window.screen_widget("study")._people
    assert [card.people.item(n).text().split(" ")[0] for n in range(card.people.count())] == ["anna"]
    told: list[BaseException] = []
    window.services.show_error = told.append
    card.name.setText("simulated")
    card.add()
    assert "Programs work under the name" in str(told[0])
    window.navigate("sign_in")
    names = window.screen_widget("sign_in").people
    assert [names.itemText(n).split(" ")[0] for n in range(names.count())] == ["me", "anna"]
