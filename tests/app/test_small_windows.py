"""A laptop at 200 %: all pages fit into 683 x 384 points, or scroll; nothing is cut off and nothing overlaps."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSlider,
    QTabBar,
    QWidget,
)

from app.let_run import let_run
from app.screen import screens
from app.widgets.new_study_form import NewStudyForm
from app.widgets.plain import EmptyState, TwoLineLabel
from domain.study import Role
from workflows.sample_study import open_sample_study

LAPTOP_AT_200 = (683, 384)
NAMES = sorted(name for name in screens.names() if screens.get(name).in_rail)
ALWAYS_IN_VIEW = {
    "correct": ("Accept", "No target"),
    "labels": ("Annotate",),
    "predict": ("Train",),
    "train": ("Train",),
    "tracker": ("Connect",),
}


def _scroll_areas(widget: QWidget) -> list[QScrollArea]:
    above, found = widget.parentWidget(), []
    while above is not None:
        if isinstance(above, QScrollArea):
            found.append(above)
        above = above.parentWidget()
    return found


def _is_reachable(widget: QWidget, window: QWidget) -> bool:
    """Inside the window, or inside the page of a scroll area, which is then reachable itself."""
    areas = _scroll_areas(widget)
    if not areas:
        return window.rect().contains(QRect(widget.mapTo(window, QPoint(0, 0)), widget.size()))
    inside = areas[0].widget()
    place = QRect(widget.mapTo(inside, QPoint(0, 0)), widget.size())
    return inside.rect().adjusted(-1, -1, 1, 1).contains(place) and _is_reachable(areas[0], window)


def _shown(page: QWidget, *kinds: type[QWidget]) -> list[QWidget]:
    return [made for made in page.findChildren(QWidget) if isinstance(made, kinds) and made.isVisibleTo(page)]


def _is_whole(widget: QWidget) -> bool:
    return bool(widget.visibleRegion().boundingRect() == widget.rect())


def _sees(page: QWidget, words: str) -> bool:
    return any(_is_whole(made) for made in _shown(page, QPushButton) if made.text() == words)


def _overlaps(page: QWidget) -> list[str]:
    """Neighbours that lie over each other, and words that are given less height than they need."""
    shown = [made for made in _shown(page, QLabel, QAbstractButton, QComboBox) if not _is_of_tabs(made)]
    found = [
        f"{_words(first)!r} lies over {_words(second)!r}"
        for number, first in enumerate(shown)
        for second in shown[number + 1 :]
        if first.parentWidget() is second.parentWidget() and first.geometry().intersects(second.geometry())
    ]
    found += [
        f"{made.text()!r} is sliced"
        for made in shown
        if isinstance(made, QLabel) and made.wordWrap() and made.height() < made.heightForWidth(made.width()) - 2
    ]
    return found


def _is_of_tabs(widget: QWidget) -> bool:
    return isinstance(widget.parentWidget(), QTabBar)


def _open_at_200(window, tmp_path: Path) -> None:
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(open_sample_study(tmp_path / "study", n_frames=4))
    window.resize(*LAPTOP_AT_200)


def _page(window, name: str) -> QWidget:
    window.navigate(name)
    let_run(300)
    return window.screen_widget(name)


@pytest.mark.window
def test_that_all_pages_fit_a_laptop_at_200_percent_or_scroll(window, tmp_path: Path):
    _open_at_200(window, tmp_path)
    faults = []
    for name in NAMES:
        page = _page(window, name)
        assert (window.width(), window.height()) == LAPTOP_AT_200
        everything = [*_shown(page, QAbstractButton, QComboBox, QLineEdit, QSlider), *window.rail.buttons.values()]
        faults += [f"{name}: out of reach: {_words(made)}" for made in everything if not _is_reachable(made, window)]
        faults += [
            f"{name}: {words} is not in view" for words in ALWAYS_IN_VIEW.get(name, ()) if not _sees(page, words)
        ]
        faults += [f"{name}: {words}" for words in _overlaps(page)]
        always = (*window.rail.buttons.values(), window._bar._annotator_label)
        faults += [f"{name}: {_words(made)} is not in view" for made in always if not _is_whole(made)]
    assert not faults, "\n".join(faults)


@pytest.mark.window
def test_that_the_name_of_a_study_that_does_not_fit_can_be_read(window, tmp_path: Path):
    _open_at_200(window, tmp_path)
    study = window.services.open_study
    name = "A long name of a study that nobody can read in a small window, second reading"
    study.update_settings(study.settings.__class__(**{**vars(study.settings), "name": name}))
    window.services.settings_changed.emit()
    let_run(50)
    shown = window._bar._study_label
    assert "…" in shown.text()
    assert shown.text().endswith("ing")
    assert shown.toolTip() == name


@pytest.mark.window
def test_that_the_sentence_of_an_empty_page_is_whole_where_there_is_little_room(qapp, window):
    empty = EmptyState("train", "There is no model yet. Train one on the labels of this study first. " * 2, "Go", int)
    empty.resize(500, 150)
    empty.show()
    let_run(50)
    assert empty.sentence.height() >= empty.sentence.heightForWidth(empty.sentence.width())
    empty.close()


def _words(made: QWidget) -> str:
    return str(made.accessibleName() or (made.text() if isinstance(made, QAbstractButton | QLabel) else made))


@pytest.mark.window
def test_that_a_failed_study_leaves_the_focus_where_it_was(window, wait_until, tmp_path: Path):
    window.navigate("study", makes_new=True)
    form = window.screen_widget("study").findChild(NewStudyForm)
    form._source.setText(str(tmp_path / "nothing"))
    form._folder.setText(str(tmp_path / "made"))
    form.name.setText("Polyps")
    form._make.setFocus()
    form._make.click()
    wait_until(lambda: form._make.isEnabled() and form._problem.text() != "")
    assert form.focusWidget() is form._make


@pytest.mark.window
def test_that_a_warning_about_a_look_is_read_over_two_lines(qapp):
    words = "A second place was looked at nearly as long: the mask may hold only one of two targets. Look closely."
    remark = TwoLineLabel("muted")
    remark.resize(420, 40)
    remark.show()
    remark.say(words)
    let_run(20)
    assert remark.text() == words
    remark.resize(160, 40)
    let_run(20)
    assert remark.text().endswith("…")
    assert remark.toolTip() == words
    remark.close()
