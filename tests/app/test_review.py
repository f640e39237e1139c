"""Review in one key: decisions by keys only, originals untouched, undo."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from app.let_run import let_run
from domain.study import Role, TrialStatus
from domain.trial import TrialQuality, TrialRecord
from processing.overlap import dice
from workflows import audit
from workflows.review import all_reviews, correct, decide
from workflows.sample_study import open_sample_study


@pytest.fixture
def reviewed(window, wait_until, tmp_path: Path):
    study = open_sample_study(tmp_path / "study", n_frames=5)
    for image in study.images()[:5]:
        truth = study.ground_truth(image.image_id)
        for name, shift in (("anna", 3), ("ben", 9)):
            study.save_mask(image.image_id, name, "polyp", np.roll(truth, shift, axis=1), origin="correction")
    window.services.set_annotator("rita", Role.REVIEWER)
    window.use_study(study)
    window.navigate("review")
    screen = window.screen_widget("review")
    wait_until(lambda: screen.is_seen)
    return screen


def press(screen, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """A key for the case that is seen, not for one that is still being read."""
    deadline = time.monotonic() + 10
    while not screen.is_seen and time.monotonic() < deadline:
        let_run(5)
    assert screen.is_seen
    QTest.keyClick(screen, key, modifiers)


def files_of(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in (folder / "masks").rglob("*_v*.png")}


@pytest.mark.window
def test_that_cases_are_decided_with_one_key_each_and_originals_stay_as_they_were(window, reviewed):
    study = window.services.study
    before = files_of(study.folder)
    assert len(before) == 10
    press(reviewed, Qt.Key.Key_A)
    press(reviewed, Qt.Key.Key_Space)
    press(reviewed, Qt.Key.Key_A)
    press(reviewed, Qt.Key.Key_F)
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
    press(reviewed, Qt.Key.Key_A)
    assert study.accepted_mask(first, "polyp") is not None
    press(reviewed, Qt.Key.Key_U)  # the next case is shown meanwhile
    assert study.accepted_mask(first, "polyp") is None
    assert reviewed._case().image_id == first
    assert "Taken back: " in reviewed._panel.said.text()


@pytest.mark.window
def test_that_undo_takes_this_persons_last_decision_back_wherever_it_was_and_nobody_elses(window, reviewed, wait_until):
    study = window.services.study
    first, second, third = (case.image_id for case in reviewed._cases[:3])
    press(reviewed, Qt.Key.Key_F)
    press(reviewed, Qt.Key.Key_A)
    by_other = next(case for case in reviewed._cases if case.image_id == third).candidates[0].version
    decide(study, by_other, "accepted", reviewer="other")
    reviewed.on_shown(image_id=third)
    for wanted, said in ((second, "accepted"), (first, "flagged")):
        press(reviewed, Qt.Key.Key_U)
        wait_until(lambda: reviewed.is_seen)
        assert reviewed._case().image_id == wanted
        assert reviewed._case().state == "new"
        assert said in reviewed._panel.said.text()
    press(reviewed, Qt.Key.Key_U)
    assert "no decision of yours" in reviewed._panel.said.text()
    assert study.accepted_version(third, "polyp") == by_other


@pytest.mark.window
def test_that_a_held_or_hasty_key_decides_about_no_case(window, reviewed, wait_until):
    study = window.services.study
    reviewed.seen.seen_ms = 300
    reviewed.on_shown()
    wait_until(lambda: reviewed.is_seen)
    QTest.keyClick(reviewed, Qt.Key.Key_A)
    assert all_reviews(study) == []
    assert "before the mask could be seen" in reviewed._panel.said.text()
    wait_until(lambda: reviewed.seen.is_enough)
    QTest.keyClick(reviewed, Qt.Key.Key_A)
    for _ in range(12):
        let_run(60)
        QTest.simulateEvent(reviewed, True, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a", True, -1)
    assert len(all_reviews(study)) == 1


@pytest.mark.window
def test_that_escape_leaves_and_clears_the_comment_and_enter_keeps_it(window, reviewed):
    comment, words = reviewed._panel.comment, "not meant"
    press(reviewed, Qt.Key.Key_C)
    QTest.keyClicks(comment, words)
    QTest.keyClick(comment, Qt.Key.Key_Escape)
    assert comment.text() == ""
    assert not comment.hasFocus()
    mode = reviewed.shown.mode
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_M)
    assert reviewed.shown.mode != mode
    assert comment.text() == ""
    press(reviewed, Qt.Key.Key_C)
    QTest.keyClicks(comment, "meant")
    QTest.keyClick(comment, Qt.Key.Key_Return)
    assert not comment.hasFocus()
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_F)
    assert [one.comment for one in all_reviews(window.services.study)] == ["meant"]


@pytest.mark.window
def test_that_a_blind_review_names_nobody(window, reviewed):
    from tests.app.stage_walk import visible_texts

    reviewed._list.blind.setChecked(True)
    said = " ".join(visible_texts(reviewed))
    assert "Reader 1" in said
    assert "anna" not in said
    assert "ben" not in said
    assert "synthetic" not in said


@pytest.mark.window
def test_that_an_edit_in_review_is_a_version_of_its_own_and_the_original_stays(window, reviewed, wait_until):
    study = window.services.study
    before = files_of(study.folder)
    case = reviewed._cases[0]
    version = case.candidates[0].version
    press(reviewed, Qt.Key.Key_E)
    assert reviewed.editing.is_active
    press(reviewed, Qt.Key.Key_A)  # decides nothing while a mask is edited
    canvas = reviewed.canvas
    corner = canvas.image_rect_on_widget().topLeft()
    for place in ((40, 40), (90, 60)):
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=corner + QPoint(*place))
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=corner + QPoint(*place))
    assert len(reviewed.editing.edit._done) == 2
    once = reviewed.editing.edit.mask.copy()
    press(reviewed, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not np.array_equal(once, reviewed.editing.edit.mask)
    press(reviewed, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert np.array_equal(once, reviewed.editing.edit.mask)
    press(reviewed, Qt.Key.Key_Escape)  # a key alone never drops work
    assert reviewed.editing.is_active
    window.navigate("worklist")
    assert window.current_screen == "review"
    assert all(c.state == "new" for c in case.candidates)
    press(reviewed, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not reviewed.editing.is_active
    newest = study.mask_versions(case.image_id, version.annotator, "polyp")[-1]
    assert (newest.version, newest.parent, newest.origin, newest.author) == (2, 1, "review", "rita")
    assert np.array_equal(study.read_version(newest), once)
    after = files_of(study.folder)
    assert {name: after[name] for name in before} == before
    wait_until(lambda: reviewed.is_seen)
    assert "edited in review" in reviewed._panel._group.button(0).text()
    press(reviewed, Qt.Key.Key_A)
    assert study.accepted_version(case.image_id, "polyp").version == 2


@pytest.mark.window
def test_that_a_consensus_is_seen_first_then_stored_and_can_be_accepted(window, reviewed, wait_until):
    study = window.services.study
    image_id = reviewed._cases[0].image_id
    press(reviewed, Qt.Key.Key_K)
    wait_until(lambda: reviewed.consensus.shown is not None)
    assert reviewed.consensus.shown.method == "majority"
    assert "Majority of 2 masks" in reviewed._panel._consensus_words.text()
    press(reviewed, Qt.Key.Key_K)
    wait_until(lambda: reviewed.consensus.shown.method == "staple")
    assert study.mask_versions(image_id, "consensus", "polyp") == []
    wanted = reviewed.consensus.shown.mask
    press(reviewed, Qt.Key.Key_Return)
    stored = study.mask_versions(image_id, "consensus", "polyp")[-1]
    assert stored.origin == "consensus"
    assert np.array_equal(study.read_version(stored), wanted)
    wait_until(lambda: reviewed.is_seen)
    assert reviewed._candidate().version == stored
    press(reviewed, Qt.Key.Key_A)
    assert study.accepted_version(image_id, "polyp") == stored
    assert study.statuses("consensus", "polyp") == {}


@pytest.mark.window
def test_that_every_part_of_the_review_has_one_key(window, reviewed):
    panel, shown = reviewed._panel, reviewed.shown
    for mode, n_beside in (("side by side", 1), ("one at a time", 0), ("overlay", 0)):
        press(reviewed, Qt.Key.Key_M)
        assert (shown.mode, len(shown._others)) == (mode, n_beside)
    before = shown.chosen
    press(reviewed, Qt.Key.Key_Space)
    assert shown.chosen != before
    is_blind = reviewed._list.blind.isChecked()
    press(reviewed, Qt.Key.Key_B)
    assert reviewed._list.blind.isChecked() is not is_blind
    for key, difficulty in ((Qt.Key.Key_1, "easy"), (Qt.Key.Key_2, "medium"), (Qt.Key.Key_3, "hard")):
        press(reviewed, key)
        assert panel.difficulty == difficulty
    press(reviewed, Qt.Key.Key_C)
    QTest.keyClicks(panel.comment, "border unclear")
    QTest.keyClick(panel.comment, Qt.Key.Key_Return)
    press(reviewed, Qt.Key.Key_F)
    last = all_reviews(window.services.study)[-1]
    assert (last.decision, last.difficulty, last.comment) == ("flagged", "hard", "border unclear")


@pytest.mark.window
def test_that_agreement_is_plotted_and_a_click_on_an_outlier_opens_its_case(window, reviewed, wait_until):
    study = window.services.study
    odd = study.images()[3].image_id
    study.save_mask(odd, "ben", "polyp", np.zeros_like(study.mask(odd, "ben", "polyp")), origin="correction", parent=1)
    for number, image in enumerate(study.images()[:5]):
        quality = TrialQuality(loss=0.02 * number, n_samples=100, active_s=5.0 + number, drift_deg=0.3)
        study.save_trial(TrialRecord(f"t{number}", image.image_id, "anna", "polyp", quality=quality))
    window.navigate("agreement")
    screen = window.screen_widget("agreement")
    wait_until(lambda: len(screen.plots.pairs.dots) == 5)
    plots = screen.plots
    assert [dot.image_id for dot in plots.pairs.dots if dot.is_outlier] == [odd]
    for metric, n in (("iou", 5), ("hausdorff95_px", 4), ("kappa", 5)):  # an empty mask is infinitely far away
        plots.pair_metric.setCurrentIndex(plots.pair_metric.findData(metric))
        assert len(plots.pairs.dots) == n
    for metric, value in (("active_s", 9.0), ("loss", 8.0), ("drift_deg", 0.3)):
        plots.read_metric.setCurrentIndex(plots.read_metric.findData(metric))
        assert max(dot.value for dot in plots.reads.dots if dot.column == "anna") == pytest.approx(value)
    plots.pair_metric.setCurrentIndex(0)
    QTest.qWait(50)
    spot = next(point for point in plots.pairs._points.points() if point.data().image_id == odd)
    place = plots.pairs.mapFromScene(plots.pairs._points.mapToScene(spot.pos()))
    QTest.mouseClick(plots.pairs.viewport(), Qt.MouseButton.LeftButton, pos=place)
    wait_until(lambda: window.current_screen == "review")
    assert window.screen_widget("review")._case().image_id == odd


@pytest.mark.window
def test_that_outliers_in_time_loss_and_drift_are_opened_by_keys(window, reviewed, wait_until):
    study = window.services.study
    images = [image.image_id for image in study.images()[:5]]
    values = {"active_s": 5.0, "loss": 0.02, "drift_deg": 0.3}
    for number, image_id in enumerate(images):
        for person, slow in (("anna", {2: "active_s", 3: "loss"}), ("ben", {4: "drift_deg"})):
            far = {metric: 20 * values[metric] for place, metric in slow.items() if place == number}
            quality = TrialQuality(n_samples=100, **{**values, **far})
            study.save_trial(TrialRecord(f"{person}{number}", image_id, person, "polyp", quality=quality))
    window.navigate("agreement")
    screen = window.screen_widget("agreement")
    wait_until(lambda: screen._outliers.count() == 3)
    lines = [screen._outliers.item(place).text() for place in range(3)]
    assert lines == [
        f"Time per image 100 s: anna\n{images[2]}",
        f"Gaze loss 40%: anna\n{images[3]}",
        f"Drift 6.0°: ben\n{images[4]}",
    ]
    screen._outliers.setFocus()
    for place in range(3):
        window.navigate("agreement")
        wait_until(lambda: screen._outliers.count() == 3 and not window.tasks.active)
        screen._outliers.setFocus()
        QTest.keyClick(screen._outliers, Qt.Key.Key_Home)
        for _ in range(place):
            QTest.keyClick(screen._outliers, Qt.Key.Key_Down)
        QTest.keyClick(screen._outliers, Qt.Key.Key_Return)
        wait_until(lambda: window.current_screen == "review" and reviewed.is_seen)
        assert reviewed._case().image_id == images[place + 2]


@pytest.mark.window
def test_that_accepting_an_accepted_mask_again_writes_nothing_and_says_so(window, reviewed, wait_until):
    study = window.services.study
    press(reviewed, Qt.Key.Key_A)
    press(reviewed, Qt.Key.Key_PageUp)
    press(reviewed, Qt.Key.Key_A)
    assert "accepted already; nothing was written" in reviewed._panel.said.text()
    assert [review.decision for review in all_reviews(study)] == ["accepted"]
    assert audit.verify(study).problems == ()


@pytest.mark.window
def test_that_older_versions_are_paged_compared_and_restored_by_keys_and_that_is_taken_back(
    window, reviewed, wait_until
):
    study = window.services.study
    case = reviewed._cases[0]
    first = case.candidates[0].version
    original = study.read_version(first)
    study.add_annotator("rita", Role.REVIEWER)
    grown = original | np.roll(original, 12, axis=0)
    correct(study, first, grown, reviewer="rita")
    reviewed.on_shown(image_id=case.image_id)
    wait_until(lambda: reviewed.is_seen)
    reviewed._list.blind.setChecked(False)
    wait_until(lambda: reviewed.is_seen)
    name = first.annotator
    reviewed._choose([c.version.annotator for c in reviewed._case().candidates].index(name))
    pager = reviewed._panel.versions
    assert pager.words == "Version 2 of 2, newest"
    assert reviewed.canvas.layer("only now") is None
    QTest.keyClick(reviewed, Qt.Key.Key_BracketLeft)
    wait_until(lambda: reviewed.versions.older is not None)
    assert reviewed.canvas.layer("only now") is not None
    wanted = f"{dice(original, grown):.3f}"
    assert "Version 1 of 2" in pager.words
    assert name in pager.words
    assert wanted in pager.words
    before = all_reviews(study)
    for key in (Qt.Key.Key_A, Qt.Key.Key_F, Qt.Key.Key_E):  # what is decided on is what is shown
        QTest.keyClick(reviewed, key)
    assert "older version is shown" in reviewed._panel.said.text()
    assert all_reviews(study) == before
    QTest.keyClick(reviewed, Qt.Key.Key_BracketRight)
    assert reviewed.versions.older is None
    assert reviewed.canvas.layer("only now") is None
    press(reviewed, Qt.Key.Key_BracketLeft)
    wait_until(lambda: reviewed.versions.older is not None)
    QTest.keyClick(reviewed, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    wait_until(lambda: reviewed.is_seen)
    newest = study.mask_versions(case.image_id, name, "polyp")[-1]
    assert (newest.version, newest.parent) == (3, 1)
    assert np.array_equal(study.read_version(newest), original)
    assert "Version 1 is back, as version 3" in reviewed._panel.said.text()
    assert reviewed._candidate().version == newest
    press(reviewed, Qt.Key.Key_U)
    wait_until(lambda: reviewed.is_seen)
    newest = study.mask_versions(case.image_id, name, "polyp")[-1]
    assert newest.version == 4
    assert np.array_equal(study.read_version(newest), grown)


@pytest.mark.window
def test_that_a_blind_reviewer_pages_versions_without_reading_a_name(window, reviewed, wait_until):
    study = window.services.study
    case = reviewed._cases[0]
    assert reviewed._list.is_blind
    correct(study, case.candidates[0].version, ~study.read_version(case.candidates[0].version), reviewer="rita")
    reviewed.on_shown(image_id=case.image_id)
    press(reviewed, Qt.Key.Key_BracketLeft)
    wait_until(lambda: reviewed.versions.older is not None)
    said = reviewed._panel.versions.words
    assert "the annotator" in said
    assert not {"anna", "ben", "rita"} & set(said.replace(".", " ").replace(",", " ").split())
