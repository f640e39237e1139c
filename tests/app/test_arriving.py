"""What one finds on coming to a page: the focus on what one came for, the next image, and room that is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from app.let_run import let_run
from domain.study import Role
from workflows.sample_study import open_sample_study


@pytest.fixture
def study(tmp_path: Path):
    made = open_sample_study(tmp_path / "study", n_frames=4)
    yield made
    made.close()


def _opened(window, study):
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)


@pytest.mark.window
def test_that_return_opens_the_newest_recent_study(window, wait_until, tmp_path: Path):
    for name in ("older", "newer"):
        open_sample_study(tmp_path / name, n_frames=2).close()
        window.services.settings.add_recent(tmp_path / name)
    window.navigate("welcome")
    wait_until(lambda: getattr(QApplication.focusWidget(), "text", str)() == "Open")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    wait_until(lambda: window.services.study is not None)
    assert window.services.study.folder == tmp_path / "newer"


@pytest.mark.window
def test_that_return_begins_with_the_sample_where_nothing_was_opened_yet(window, wait_until):
    page = window.screen_widget("welcome")
    wait_until(lambda: page.try_sample.hasFocus())


@pytest.mark.window
def test_that_a_key_of_a_page_without_a_study_says_why_nothing_opens(window):
    assert window._bar.remark == ""
    window.navigate("train")
    let_run(50)
    assert window.current_screen == "welcome"
    assert window._bar.remark == "Train needs a study: open one here first."


@pytest.mark.window
def test_that_the_tiles_of_the_worklist_leave_no_strip_and_the_next_image_is_chosen(window, study):
    _opened(window, study)
    page = window.screen_widget("worklist")
    for width in (900, 1366, 1800):
        window.resize(width, 700)
        let_run(100)
        cell, room = page.grid.gridSize().width(), page.grid.viewport().width()
        assert room - cell * (room // cell) <= room // cell + 12, f"a strip is free at {width}"
    assert page.grid.currentIndex().row() == 0


@pytest.mark.window
def test_that_the_entry_page_shows_the_next_image_and_keeps_masked_names_masked(window, study, wait_until):
    study.add_annotator("nina", Role.ANNOTATOR)
    window.services.set_annotator("nina", Role.ANNOTATOR)
    window.use_study(study)
    window.navigate("annotate")
    page = window.screen_widget("annotate")
    wait_until(lambda: page.next_image.has_picture)
    assert "5 images left" in page.next_image.words
    words = " ".join(f"{made.text()} {made.toolTip()}" for made in page.findChildren(QLabel))
    assert not [image.image_id for image in study.images() if image.image_id in words]
