"""The worklist by doubt: offered only where a model has predicted, chosen by a key, and followed by Continue."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.widgets.worklist_model import DOUBT_COLUMN
from domain.study import Role
from workflows.doubt import PredictedImage, write_doubts
from workflows.reading_order import ReadingOrder, reading_order
from workflows.sample_study import open_sample_study
from workflows.worklist import next_unfinished

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.mark.window
def test_that_the_order_by_doubt_is_offered_with_predictions_only_and_followed_when_chosen(window, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=5)
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    screen = window.screen_widget("worklist")
    seeded = study.order("anna")
    assert not screen._order.isVisible()
    assert screen.table.isColumnHidden(DOUBT_COLUMN)
    QTest.keyClick(screen, Qt.Key.Key_D, CTRL)
    assert reading_order(study, "anna", screen.target) is ReadingOrder.RANDOM
    found = [PredictedImage(image_id, 0.1 * place, 0.2) for place, image_id in enumerate(seeded)]
    write_doubts(study, screen.target, Path("m"), found)
    screen.refresh()
    assert screen._order.isVisible()
    assert not screen.table.isColumnHidden(DOUBT_COLUMN)
    assert screen.model.row_at(0).image_id == seeded[0]
    QTest.keyClick(screen, Qt.Key.Key_D, CTRL)
    assert [screen.model.row_at(n).image_id for n in range(len(seeded))] == seeded[::-1]
    assert screen.model.data(screen.model.index(0, DOUBT_COLUMN)) == f"{0.1 * (len(seeded) - 1):.2f}"
    assert next_unfinished(screen._worklist.rows).image_id == seeded[-1]
    window.navigate("annotate")
    assert [row.image_id for row in window.screen_widget("annotate")._rows] == seeded[::-1]
    window.navigate("worklist")
    QTest.keyClick(screen, Qt.Key.Key_D, CTRL)
    assert [screen.model.row_at(n).image_id for n in range(len(seeded))] == seeded
