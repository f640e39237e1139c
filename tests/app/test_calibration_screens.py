from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from acquisition.host import TrackerHost
from acquisition.tracker import CAN_CALIBRATE, TrackerSettings
from app.calibrate_stage import CalibrateStage
from app.calibration_review import CalibrationReview
from app.context import TrackerChoice
from app.drift_over_stage import DriftOverStage
from app.drift_stage import DriftStage
from app.main_window import MainWindow
from app.recording_gate import RecordingGate, objections_to_recording
from app.stage_phase import Phase
from app.widgets.position_guide import PositionGuide
from benchmarks.known_gaze import DISPLAY, PLANE, look_at
from calibration.drift import DriftLog, correction_for
from calibration.engine_events import Ending, State
from calibration.position import head_position
from calibration.profiles import profile_of
from domain.calibration import DriftVerdict
from domain.errors import UserFacingError
from domain.session import TrackerInfo
from domain.study import Role
from storage.calibration_file import CalibrationStore
from storage.session_file import read_session
from tests.app.stage_walk import look_and_answer, open_stage, visible_texts
from workflows.annotate_images import AnnotationSession
from workflows.calibrate import CalibrationSession, calibrations_folder
from workflows.calibration_target import HostTarget
from workflows.drift_check import DriftRun, corrected_samples
from workflows.quality_report import session_quality
from workflows.sample_study import open_sample_study

Wait = Callable[..., None]
pytestmark = pytest.mark.window


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[str], Path]:
    """Keep what is on the screen now: in SIGHTLINE_PICTURES (docs/images), else in the test's own folder."""
    folder = Path(os.environ.get("SIGHTLINE_PICTURES") or tmp_path)

    def keep(name: str) -> Path:
        QTest.qWait(60)
        path = folder / f"calibration-{name}.png"
        assert QApplication.primaryScreen().grabWindow(0).save(str(path))
        return path

    return keep


@pytest.fixture
def tracker_page(window: object, wait_until: Wait) -> Iterator[object]:
    """The tracker page with a fast simulated eye that is off by more than a degree."""
    window.setGeometry(QApplication.primaryScreen().geometry())  # type: ignore[attr-defined]
    page = window.screen_widget("tracker")  # type: ignore[attr-defined]
    page._has_searched = True  # real drivers take seconds to look
    window.navigate("tracker")  # type: ignore[attr-defined]
    page.form.width_mm.setValue(527)
    page.form.height_mm.setValue(296)
    page.form.remember_geometry()
    yield page
    page.disconnect_tracker()


def fast(page: object, **options: object) -> None:
    """Connect the page to a simulated eye four times as fast as life."""
    display = page.form.display  # type: ignore[attr-defined]
    values = {"offset_deg": [1.5, -0.8, 1.2, -1.0], "blinks_per_min": 0.0, "losses_per_min": 0.0, **options}
    host = TrackerHost(TrackerSettings("simulated", speed=4.0, seed=5, display=display, options=values))
    host.start()
    page._on_opened(host)  # type: ignore[attr-defined]


def test_that_one_gets_from_the_tracker_page_through_calibration_to_a_grade_that_stays_on_screen(
    window: object, tracker_page: object, wait_until: Wait, picture: Callable[[str], Path]
) -> None:
    page = tracker_page
    assert page.calibration.words.startswith("Not connected")
    assert not page.calibration.calibrate.isEnabled()
    fast(page)
    wait_until(lambda: page._guide.words == "Good position.")
    assert page.calibration.words.startswith("Not calibrated")
    picture("set-up")

    QTest.mouseClick(page.calibration.calibrate, Qt.MouseButton.LeftButton)
    stage = page.stage
    assert isinstance(stage, CalibrateStage)
    assert stage.geometry() == QApplication.primaryScreen().geometry()
    assert not page.can_leave()
    wait_until(lambda: stage.session.state is State.POSITION and stage._guide.isVisible(), 20)
    picture("position")
    wait_until(lambda: stage.session.state is State.COLLECT, 20)
    assert not stage._pages.isVisible(), "nothing but the target may be on the screen"
    picture("target")
    wait_until(lambda: stage.session.is_in_review and stage._pages.currentWidget() is stage.review, 60)
    assert stage.review.words.startswith("Good")
    picture("review")

    QTest.keyClick(stage, Qt.Key.Key_N)
    assert stage.review._point == 1
    QTest.qWait(50)
    assert "samples used" in stage.review.plot.spots[0][1]
    picture("review-points")
    QTest.keyClick(stage, Qt.Key.Key_R)
    wait_until(lambda: stage.session.state is State.COLLECT, 20)
    wait_until(lambda: stage.session.is_in_review and stage._pages.currentWidget() is stage.review, 60)
    assert len(stage.review._attempts) == 2
    picture("review-attempts")
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: page.stage is None, 20)

    assert page.record is not None
    assert page.calibration.words.startswith("Good")
    assert "less than a minute old" in page.calibration.words
    assert window.services.tracker.verdict == "good"  # type: ignore[attr-defined]
    assert "good" in window._bar._tracker_label.whole  # type: ignore[attr-defined]
    assert "old" in window._bar._tracker_label.whole  # type: ignore[attr-defined]
    assert CalibrationStore(calibrations_folder()).newest(window.services.annotator, "SIMULATED") is not None  # type: ignore[attr-defined]
    picture("calibrated")

    page.check_drift()
    drift = page.stage
    wait_until(lambda: drift._is_shown, 20)
    assert drift.check.verdict is DriftVerdict.PASS
    picture("drift-pass")
    QTest.keyClick(drift, Qt.Key.Key_Return)
    wait_until(lambda: page.stage is None)

    page.disconnect_tracker()
    fast(page)
    assert page.calibration.use_stored.isVisible()
    page.use_stored()
    wait_until(lambda: page.record is not None)
    assert page.calibration.words.startswith("Good")


def test_that_escape_at_any_moment_comes_back_to_the_page_and_nothing_is_accepted(
    tracker_page: object, wait_until: Wait
) -> None:
    page = tracker_page
    fast(page)
    for state in (State.POSITION, State.TRAVEL, State.SETTLE, State.COLLECT):
        page.calibrate()
        stage = page.stage
        wait_until(lambda s=state, t=stage: t.session.state is s, 20)
        QTest.keyClick(stage, Qt.Key.Key_Escape)
        wait_until(lambda: page.stage is None, 10)
        assert stage.session.engine.ending is Ending.CANCELLED
        assert page.record is None
        assert page.calibration.words.startswith("Not calibrated")


def test_that_a_tracker_lost_in_the_middle_is_said_and_the_page_comes_back(
    tracker_page: object, wait_until: Wait, picture: Callable[[str], Path]
) -> None:
    page = tracker_page
    fast(page, faults=[{"at_s": 6.0, "kind": "disconnect", "duration_s": 600.0}])
    page.calibrate()
    stage = page.stage
    wait_until(lambda: stage._pages.currentWidget() is stage._card, 30)
    assert "tracker was lost" in stage._card.text
    picture("tracker-lost")
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: page.stage is None)


def test_that_a_tracker_process_that_dies_on_the_page_or_in_a_calibration_is_started_again(
    tracker_page: object, wait_until: Wait
) -> None:
    page = tracker_page
    fast(page)
    wait_until(lambda: page._guide.words == "Good position.")
    host, first_pid = page.source.host, page.source.host.pid
    psutil.Process(first_pid).kill()
    wait_until(lambda: "started again" in page._guide.words)
    wait_until(lambda: page._guide.words == "Good position.", 30)
    assert page.source.host is host
    assert host.pid != first_pid
    page.calibrate()
    stage = page.stage
    wait_until(lambda: stage.session.state is State.COLLECT, 20)
    second_pid = host.pid
    psutil.Process(second_pid).kill()
    wait_until(lambda: stage._pages.currentWidget() is stage._card, 30)
    assert "tracker was lost" in stage._card.text
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: page.stage is None)
    wait_until(lambda: host.pid != second_pid and page._guide.words == "Good position.", 30)
    page.calibrate()
    stage = page.stage
    wait_until(lambda: stage.session.is_in_review, 60)
    QTest.keyClick(stage, Qt.Key.Key_Escape)
    wait_until(lambda: page.stage is None)


def test_that_a_calibration_against_the_rule_needs_a_reason(
    tracker_page: object, wait_until: Wait, picture: Callable[[str], Path]
) -> None:
    page = tracker_page
    fast(page)
    # The eye moves on after the calibration: every validation is off.
    page.calibrate()
    stage = page.stage
    wait_until(lambda: stage.session.is_validating, 60)
    page.source.show = lambda point: type(page.source).show(page.source, (0.9, 0.9))  # looks elsewhere
    wait_until(lambda: stage.session.is_in_review and stage._pages.currentWidget() is stage.review, 60)
    assert stage.review.words.startswith("Poor")
    assert not stage.review._accept.isEnabled()
    QTest.keyClick(stage, Qt.Key.Key_Return)
    assert stage.review.reason.hasFocus()
    QTest.keyClicks(stage.review.reason, "second monitor only")
    picture("review-poor")
    QTest.mouseClick(stage.review._accept, Qt.MouseButton.LeftButton)
    wait_until(lambda: page.stage is None, 20)
    assert page.record.override_reason == "second monitor only"
    assert "second monitor only" in page.calibration.words


def test_that_a_drifted_gaze_is_shifted_only_when_it_is_asked_for(
    window: object, tracker_page: object, wait_until: Wait, picture: Callable[[str], Path]
) -> None:
    page = tracker_page
    fast(page, offset_deg=[1.0, 0.0, 1.0, 0.0])
    for key, version in ((Qt.Key.Key_Escape, 0), (Qt.Key.Key_Return, 1)):
        log = DriftLog()
        run = DriftRun(page.source, profile=profile_of("adult"), distance_mm=650.0)
        stage = DriftStage(window.services, page.source, run, log)  # type: ignore[attr-defined]
        ends: list[int] = []
        stage.finished.connect(lambda ends=ends: ends.append(1))
        stage.open_on(QApplication.primaryScreen())
        assert stage._intro.isVisible(), "words before the dot"
        assert "look at the dot" in stage._intro.text()
        assert stage.look() is None
        wait_until(lambda s=stage: s._is_shown, 20)
        assert not stage._intro.isVisible()
        assert stage.check.verdict is DriftVerdict.OFFER
        picture("drift-offer")
        QTest.keyClick(stage, key)
        assert ends == [1]
        assert log.active.version == version
        stage.close()
        stage.deleteLater()


def test_that_five_dots_offer_an_affine_correction_which_the_page_shows_and_takes_back(
    window: MainWindow, tracker_page: object, wait_until: Wait, picture: Callable[[str], Path]
) -> None:
    page = tracker_page
    window.resize(1366, 768)
    fast(page, offset_deg=[1.0, 0.0, 1.0, 0.0])
    page.undo_drift()  # there is nothing to take back
    assert not page.calibration.undo_drift.isVisible()
    window.activateWindow()
    page.setFocus()
    QTest.keyClick(page, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    stage = page.stage
    assert isinstance(stage, DriftStage)
    assert len(stage.run.run.points) == 5
    wait_until(lambda: stage._is_shown, 40)
    assert stage.check.verdict is DriftVerdict.OFFER
    assert "five dots" in stage.words
    picture("drift-five")
    QTest.keyClick(stage, Qt.Key.Key_Return)
    wait_until(lambda: page.stage is None)
    correction = page.drift_log.active
    assert correction.kind == "affine"
    assert window.services.tracker.drift is page.drift_log, "what the page corrects holds in the recording"
    assert "fitted to five dots" in page.calibration.words
    assert page.calibration.undo_drift.isVisible()
    picture("drift-in-force")
    QTest.mouseClick(page.calibration.five_dots, Qt.MouseButton.LeftButton)
    assert len(page.stage.run.run.points) == 5
    QTest.keyClick(page.stage, Qt.Key.Key_Escape)
    wait_until(lambda: page.stage is None and window.isActiveWindow())
    QTest.keyClick(page, Qt.Key.Key_U, Qt.KeyboardModifier.ControlModifier)
    assert page.drift_log.active.kind == "none"
    assert [what for what, _ in page.drift_log.entries] == ["apply", "undo"]
    assert "fitted" not in page.calibration.words
    assert not page.calibration.undo_drift.isVisible()


@pytest.mark.parametrize("size", [(640, 400), (1100, 560)])
def test_that_the_position_guide_says_in_words_what_it_shows(
    qapp: object, size: tuple[int, int], tmp_path: Path
) -> None:
    guide = PositionGuide()
    guide.resize(*size)
    samples = look_at((0.5, 0.5))
    samples.origin_mm[:] += (60.0, -70.0, 160.0)
    samples.origin_valid[:, 1] = False
    guide.show_head(head_position(samples, PLANE, ideal_distance_mm=650.0))
    assert guide.words.startswith("Come 16 cm closer.")
    assert guide.accessibleDescription() == guide.words
    grabbed = guide.grab().toImage()
    assert grabbed.width() >= size[0]
    guide.show_head(None, "Connect a tracker.")
    assert guide.words == "Connect a tracker."
    guide.deleteLater()


def test_that_no_text_is_cut_on_a_small_screen(tracker_page: object, window: object, wait_until: Wait) -> None:
    window.resize(1366, 768)  # type: ignore[attr-defined]
    fast(tracker_page)
    QTest.qWait(100)
    for shown in tracker_page.findChildren(QLabel):
        if shown.isVisible() and shown.text() and not shown.wordWrap():
            assert shown.width() >= shown.sizeHint().width() - 1, shown.text()
        if shown.isVisible() and shown.text() and shown.wordWrap():
            assert shown.height() >= shown.heightForWidth(shown.width()) - 1, shown.text()


def test_that_hovering_a_point_gives_its_numbers_and_clicking_chooses_it(
    tracker_page: object, wait_until: Wait
) -> None:
    page = tracker_page
    fast(page)
    session = CalibrationSession(page.source, profile=profile_of("adult"), annotator="a", distance_mm=650.0)
    session.start()

    def is_ready() -> bool:
        session.tick()
        return session.is_in_review

    wait_until(is_ready, 60)
    review = CalibrationReview(aspect=16 / 9, norm_per_deg=(0.02, 0.03))
    review.resize(1366, 768)
    review.show_attempts(session.reviewed())
    review.show()
    QTest.qWait(60)
    assert "left eye:" in review.plot.spots[0][1]
    assert "° off" in review.plot.spots[0][1]
    review._views[1].click()
    QTest.qWait(60)
    third = review.plot._spots[2].at
    QTest.mouseMove(review.plot, QPointF(third).toPoint())
    QTest.mouseClick(review.plot, Qt.MouseButton.LeftButton, pos=QPointF(third).toPoint())
    asked: list[int] = []
    review.redo_point.connect(asked.append)
    review.repeat_point()
    assert asked == [2]
    review.close()
    review.deleteLater()
    session.cancel()


def test_that_a_real_tracker_without_calibration_does_not_record_by_accident(window: object) -> None:
    services = window.services  # type: ignore[attr-defined]
    assert objections_to_recording(services, DISPLAY) == ()
    services.tracker = TrackerChoice(name="tobii", serial="X")
    assert "not calibrated" in objections_to_recording(services, DISPLAY)[0]

    class Open:
        info = TrackerInfo("tobii", "Spark", "X", capabilities=(CAN_CALIBRATE,))
        settings = TrackerSettings("tobii", display=DISPLAY)

    services.host = Open()
    assert objections_to_recording(services, DISPLAY) == ("The tracker is not calibrated.",)
    services.host = None
    gate = RecordingGate(("The tracker is not calibrated.",))
    assert not gate.record_button.isEnabled()
    gate.reason.setText("   ")
    assert not gate.record_button.isEnabled()
    gate.reason.setText("pilot")
    assert gate.record_button.isEnabled()
    gate.deleteLater()


def test_that_the_source_tells_a_lost_host_from_one_that_has_just_begun() -> None:
    with TrackerHost(TrackerSettings("simulated", display=DISPLAY)) as host:
        assert not HostTarget(host).is_lost()


def test_that_a_correction_from_before_holds_in_the_recording_until_a_key_takes_it_back(
    window: MainWindow, wait_until: Wait, tmp_path: Path
) -> None:
    study = open_sample_study(tmp_path / "study", n_frames=2)
    log = DriftLog()
    log.apply(correction_for([((0.5, 0.5), look_at((0.5, 0.5), offset_deg=(1.0, 0.0)))], PLANE))
    window.services.tracker.drift = log
    stage = open_stage(window, study, wait_until, role=Role.ADMIN)
    assert stage.session.drift.active.kind == "none", "a tracker that was opened anew begins without a correction"
    stage.session.drift.apply(log.active)
    stage._go_to(Phase.CARD)
    assert "shifted by 1.0°" in " ".join(visible_texts(stage))
    QTest.keyClick(stage, Qt.Key.Key_U, Qt.KeyboardModifier.ControlModifier)
    assert stage.session.drift.active.kind == "none"
    assert "shifted" not in " ".join(visible_texts(stage))
    QTest.keyClick(stage, Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    front = window.services.drift_check.front
    assert isinstance(front, DriftStage)
    assert len(front.run.run.points) == 5
    stage.leave()
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)
    session = read_session(next((study.folder / "sessions").glob("*.h5")))
    assert [note["reason"] for note in session.drift_checks] == ["correction undone"]
    assert session_quality(session).drift_checks == (), "an undoing is not a check"

    begun = AnnotationSession(study, "anna", TrackerSettings("simulated", display=DISPLAY), drift=log)
    begun.open()
    begun.undo_drift()
    with pytest.raises(UserFacingError, match="No drift correction"):
        begun.undo_drift()
    begun.close()
    notes = read_session(begun.recording.session_path).drift_checks
    assert [note["correction"]["kind"] for note in notes] == ["translation", "none"]
    assert notes[1]["history"][-1] == {"what": "undo", "version": 1}


@pytest.mark.slow
def test_that_a_drift_check_comes_between_images_and_its_shift_reaches_the_labels_but_not_the_session(
    window: MainWindow, wait_until: Wait, tmp_path: Path
) -> None:
    study = open_sample_study(tmp_path / "study", n_frames=2)
    settings = study.settings
    study.update_settings(replace(settings, protocol=replace(settings.protocol, drift_check_every=1)))
    stage = open_stage(window, study, wait_until, role=Role.ADMIN, offset_deg=[1.0, 0.0, 1.0, 0.0])
    check = window.services.drift_check
    assert isinstance(check, DriftOverStage)
    QTest.keyClick(stage, Qt.Key.Key_Return)
    look_and_answer(stage, study, wait_until)
    wait_until(lambda: check.front is not None, 30)
    front = check.front
    assert isinstance(front, DriftStage)

    def is_shown() -> bool:
        stage.session.recording.advance(0.1)
        return front._is_shown

    wait_until(is_shown, 30)
    assert front.check is not None
    assert front.check.verdict is DriftVerdict.OFFER
    QTest.keyClick(front, Qt.Key.Key_Return)
    assert check.front is None
    assert stage.session.drift.active.version == 1
    look_and_answer(stage, study, wait_until)
    wait_until(lambda: check.front is not None or stage.phase is Phase.DONE, 30)
    if check.front is not None:
        wait_until(lambda: check.front is None or check.front.isActiveWindow())
        QTest.keyClick(check.front, Qt.Key.Key_Escape)
        wait_until(lambda: check.front is None)
    stage.drift_check()
    assert stage.phase is not Phase.CARD or check.front is not None
    stage.leave()
    assert check.front is None, "a check must not outlive the stage it lies on"
    wait_until(lambda: window.current_screen == "worklist" and not window.tasks.active, 60)
    session = read_session(next((study.folder / "sessions").glob("*.h5")))
    assert session.drift_checks[0]["verdict"] == "correction offered"
    assert session.drift_checks[0]["correction"]["version"] == 1
    corrected = corrected_samples(session)
    assert not np.array_equal(corrected.gaze_norm, session.samples.gaze_norm, equal_nan=True)
    first, second = session.trials()[:2]
    both = session.samples.gaze_valid.all(axis=1)
    moved = np.abs(corrected.gaze_norm - session.samples.gaze_norm).max(axis=(1, 2))
    times = session.samples.time_ns
    assert np.all(moved[both & (times < first.offset_ns)] == 0)
    assert np.all(moved[both & (times >= second.onset_ns) & (times < second.offset_ns)] > 0.01)
