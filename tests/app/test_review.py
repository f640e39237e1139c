"""Review in one key: decisions by keys only, originals untouched, undo."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from domain.study import Role, TrialStatus
from workflows.sample_study import open_sample_study


@pytest.fixture
def reviewed(window, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=5)
    for image in study.images()[:5]:
        truth = study.ground_truth(image.image_id)
        for name, shift in (("anna", 3), ("ben", 9)):
            study.save_mask(image.image_id, name, "polyp", np.roll(truth, shift, axis=1), origin="correction")
    window.services.set_annotator("rita", Role.REVIEWER)
    window.use_study(study)
    window.navigate("review")
    QTest.qWait(100)
    return window.screen_widget("review")


def files_of(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in (folder / "masks").rglob("*_v*.png")}


@pytest.mark.window
def test_that_cases_are_decided_with_one_key_each_and_originals_stay_as_they_were(window, reviewed):
    study = window.services.study
    before = files_of(study.folder)
    assert len(before) == 10
    QTest.keyClick(reviewed, Qt.Key.Key_A)
    QTest.keyClick(reviewed, Qt.Key.Key_Space)
    QTest.keyClick(reviewed, Qt.Key.Key_A)
    QTest.keyClick(reviewed, Qt.Key.Key_F)
    states = {case.image_id: case.state for case in reviewed._cases}
    assert sorted(states.values()) == ["accepted", "accepted", "flagged", "new", "new"]
    accepted = [image_id for image_id, state in states.items() if state == "accepted"]
    assert all(study.accepted_mask(image_id, "polyp") is not None for image_id in accepted)
    assert files_of(study.folder) == before


@pytest.mark.window
def test_that_a_return_has_a_reason_and_goes_back_to_the_annotator(window, reviewed):
    study = window.services.study
    case = reviewed._cases[0]
    returned = case.candidates[0].version.annotator
    reviewed.return_for("border too wide")
    assert study.statuses(returned, "polyp")[case.image_id] is TrialStatus.RETURNED


@pytest.mark.window
def test_that_a_decision_is_taken_back_with_one_key(window, reviewed):
    study = window.services.study
    first = reviewed._cases[0].image_id
    QTest.keyClick(reviewed, Qt.Key.Key_A)
    assert study.accepted_mask(first, "polyp") is not None
    QTest.keyClick(reviewed, Qt.Key.Key_PageUp)
    QTest.keyClick(reviewed, Qt.Key.Key_U)
    assert study.accepted_mask(first, "polyp") is None


@pytest.mark.window
def test_that_a_blind_review_names_nobody(window, reviewed):
    from tests.app.stage_walk import visible_texts

    reviewed._blind.setChecked(True)
    said = " ".join(visible_texts(reviewed))
    assert "Reader 1" in said
    assert "anna" not in said
    assert "ben" not in said
    assert "synthetic" not in said
