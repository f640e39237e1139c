from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from acquisition.host import TrackerHost
from acquisition.tracker import TrackerSettings
from calibration.drift import FIVE_DOTS, DriftLog
from calibration.engine_events import Ending, State
from calibration.profiles import Profile, profile_of
from calibration.staleness import made_at, stale_reasons
from domain.calibration import DriftCheck, DriftVerdict, Grade
from domain.display import Display
from domain.errors import UserFacingError
from storage.calibration_file import CalibrationStore
from workflows.calibrate import CalibrationSession, as_journal
from workflows.calibration_target import HostTarget, point_samples
from workflows.drift_check import DriftRun, accept_correction, journal_values
from workflows.gaze_run import GazeRun
from workflows.validate import ValidationRun

DISPLAY = Display((1920, 1080), (527.0, 296.0), distance_mm=650.0, name="DP-1", serial="A1")
ERROR = {"offset_deg": [1.5, -0.8, 1.2, -1.0], "gain": [1.04, 0.97]}
CALM: dict[str, object] = {"blinks_per_min": 0.0, "losses_per_min": 0.0}


@contextmanager
def simulated(**options: object) -> Iterator[HostTarget]:
    """A simulated tracker whose time stands still unless it is told to pass."""
    settings = TrackerSettings("simulated", rate_hz=120.0, speed=0.0, seed=5, display=DISPLAY, options=options)
    with TrackerHost(settings) as host:
        yield HostTarget(host)


def session(
    source: HostTarget, profile: Profile | None = None, store: CalibrationStore | None = None
) -> CalibrationSession:
    return CalibrationSession(
        source,
        profile=profile or profile_of("adult"),
        annotator="anna",
        distance_mm=650.0,
        store=store,
        is_simulated=True,
    )


def run(
    calibration: CalibrationSession, until: Callable[[CalibrationSession], bool], *, limit_s: float = 120.0
) -> float:
    source = calibration.source
    begin = source.now_ns()
    if calibration.state is State.IDLE:
        calibration.start()
    while not until(calibration):
        source.host.advance(0.016)  # type: ignore[attr-defined]  # a HostTarget
        calibration.tick()
        if (source.now_ns() - begin) / 1e9 > limit_s:
            raise AssertionError(f"still {calibration.state} after {limit_s} s: {calibration.engine.problem}")
    return (source.now_ns() - begin) / 1e9


def run_looks(gaze_run: GazeRun) -> None:
    gaze_run.start()
    for _ in range(5000):
        gaze_run.source.host.advance(0.016)  # type: ignore[attr-defined]  # a HostTarget
        gaze_run.tick()
        if gaze_run.is_over:
            return
    raise AssertionError("the run never ended")


def test_that_calibration_takes_the_simulated_eyes_error_away_and_is_stored(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path)
    with simulated(**ERROR) as source:
        calibration = session(source, store=store)
        run(calibration, lambda c: c.is_in_review)
        reviewed = calibration.reviewed()[-1]
        assert reviewed.objections == ()
        assert reviewed.validation is not None
        assert reviewed.validation.grade is Grade.GOOD
        assert reviewed.validation.summary("binocular").accuracy_mean_deg < 0.5
        calibration.accept()
        run(calibration, lambda c: c.is_ended)
        assert source.host.calibration_data() == calibration.record.blob  # type: ignore[union-attr]
        now = source.surroundings("anna", distance_mm=650.0)
    stored = store.newest("anna", "SIMULATED")
    assert stored is not None
    assert stored.blob
    assert stored.is_simulated
    assert stored.override_reason == ""
    assert stale_reasons(stored, now, at=made_at(stored)) == ()
    assert as_journal(stored)["profile"] == "adult"


def test_that_an_uncalibrated_eye_is_poor_and_needs_a_reason_that_is_stored() -> None:
    with simulated(**CALM, offset_deg=[2.5, 0.0, 2.5, 0.0]) as source:
        validation = ValidationRun(source, distance_mm=650.0)
        run_looks(validation)
        assert validation.validation().grade is Grade.POOR
        assert validation.validation().summary("binocular").accuracy_mean_deg == pytest.approx(2.5, abs=0.3)
        assert validation.validation().rate_hz == pytest.approx(120.0, abs=0.5)
        calibration = session(source)
        run(calibration, lambda c: c.is_in_review)
        bad = validation.validation()
        calibration._validations[1] = bad
        with pytest.raises(UserFacingError, match="not good enough: POOR"):
            calibration.accept()
        assert calibration.is_in_review
        calibration.accept(override_reason="  patient with nystagmus ")
        run(calibration, lambda c: c.is_ended)
        assert calibration.record is not None
        assert calibration.record.override_reason == "patient with nystagmus"


def test_that_a_tracker_that_cannot_compute_gives_nothing_to_accept_and_esc_leaves() -> None:
    with simulated(**CALM, calibration_fails="compute") as source:
        calibration = session(source)
        run(calibration, lambda c: c.is_in_review)
        assert not calibration.reviewed()[0].attempt.is_usable
        with pytest.raises(UserFacingError, match="computed none"):
            calibration.accept(override_reason="please")
        calibration.cancel()
        run(calibration, lambda c: c.is_ended)
        assert calibration.engine.ending is Ending.CANCELLED
        assert calibration.engine.is_mode_left


def test_that_a_tracker_that_collects_nothing_ends_in_review_with_the_reason() -> None:
    with simulated(**CALM, calibration_fails="collect") as source:
        calibration = session(source)
        run(calibration, lambda c: c.is_in_review)
        assert "0 of 5 points" in calibration.engine.problem
        assert calibration.reviewed()[0].attempt.verdicts[0].reason == "the tracker saw no usable gaze"


def test_that_cancelling_puts_the_calibration_of_before_back() -> None:
    with simulated(**ERROR, **CALM) as source:
        first = session(source)
        run(first, lambda c: c.is_in_review)
        first.accept()
        run(first, lambda c: c.is_ended)
        before = source.host.calibration_data()
        second = session(source)
        run(second, lambda c: c.state is State.SETTLE)
        assert source.host.calibration_data() == b""
        second.cancel()
        run(second, lambda c: c.is_ended)
        assert source.host.calibration_data() == before
        assert second.record is None


def test_that_a_point_and_all_points_can_be_repeated_from_review() -> None:
    with simulated(**ERROR, **CALM) as source:
        calibration = session(source)
        run(calibration, lambda c: c.is_in_review)
        calibration.redo_point(3)
        run(calibration, lambda c: c.is_in_review)
        calibration.redo_all()
        run(calibration, lambda c: c.is_in_review)
        reviewed = calibration.reviewed()
        assert [r.attempt.number for r in reviewed] == [1, 2, 3]
        assert all(r.validation is not None and r.validation.grade is Grade.GOOD for r in reviewed)
        # Twenty readings per point and attempt would show if old data were mixed in.
        n = {sum(s.n_used()) + sum(s.n_unused()) for s in reviewed[-1].attempt.result.points}
        assert len(n) == 1
        calibration.accept(1)
        run(calibration, lambda c: c.is_ended)
        assert source.host.calibration_data() == reviewed[0].attempt.blob


def test_that_a_lost_tracker_and_a_dead_host_end_the_calibration() -> None:
    faults = [{"at_s": 4.0, "kind": "disconnect", "duration_s": 60.0}]
    with simulated(**CALM, faults=faults) as source:
        calibration = session(source)
        run(calibration, lambda c: c.is_ended)
        assert calibration.engine.ending is Ending.TRACKER_LOST
    with simulated(**CALM) as source:
        calibration = session(source)
        run(calibration, lambda c: c.state is State.SETTLE)
        source.host.close()
        for _ in range(500):
            calibration.tick()
            if calibration.is_ended:
                break
            time.sleep(0.01)
        assert calibration.engine.ending is Ending.TRACKER_LOST
        assert source.is_closed
        assert len(source.latest(500.0)) == 0
        source.show((0.1, 0.1))


def test_that_another_screen_in_the_middle_of_a_validation_ends_it() -> None:
    with simulated(**CALM) as source:
        calibration = session(source)
        run(calibration, lambda c: c.is_validating)
        calibration.screen_changed()
        run(calibration, lambda c: c.is_ended)
        assert calibration.engine.ending is Ending.SCREEN_CHANGED
        assert not calibration.is_validating


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        pytest.param(0.0, DriftVerdict.PASS, id="none"),
        pytest.param(1.0, DriftVerdict.OFFER, id="one degree"),
        pytest.param(3.0, DriftVerdict.RECALIBRATE, id="three degrees"),
    ],
)
def test_that_a_drift_check_of_a_drifted_eye_says_what_to_do(offset: float, verdict: DriftVerdict) -> None:
    with simulated(**CALM, offset_deg=[offset, 0.0, offset, 0.0]) as source:
        check_run = DriftRun(source, distance_mm=650.0, reason="10 images since the last check", after_images=10)
        run_looks(check_run)
        check = check_run.check()
        assert check.verdict is verdict
        assert check.offset_deg == pytest.approx(offset, abs=0.3)
        log = DriftLog()
        if verdict is not DriftVerdict.OFFER:
            with pytest.raises(UserFacingError, match="offers no correction"):
                accept_correction(log, check, check_run.correction())
            return
        correction = accept_correction(log, check, check_run.correction())
        source.show((0.4, 0.6))
        source.host.advance(1.5)
        later = source.between(source.now_ns() - 500_000_000, source.now_ns())
        corrected = correction.corrected(later, source.plane)
        per_deg = np.asarray(source.plane.norm_per_deg(650.0))
        residual = (np.nanmean(corrected.gaze_norm, axis=(0, 1)) - (0.4, 0.6)) / per_deg
        assert np.hypot(*residual) < 0.35
        values = journal_values(check, log)
        assert values["correction"]["version"] == 1
        assert DriftCheck.from_json({k: v for k, v in values.items() if k not in ("correction", "history")}) is not None


def test_that_five_dots_give_an_affine_correction() -> None:
    with simulated(**CALM, offset_deg=[0.8, 0.3, 0.8, 0.3], gain=[1.03, 1.0]) as source:
        check_run = DriftRun(source, points=FIVE_DOTS, distance_mm=650.0)
        run_looks(check_run)
        assert len(check_run.check().points) == 15
        assert check_run.correction().kind == "affine"


def test_that_points_with_one_eye_only_or_uneven_eyes_are_understood() -> None:
    found = point_samples({"point": [0.1, 0.9], "left": [[0.1, 0.9, 1], [0.2, 0.8, 0]], "right": []})
    assert found.n_used() == (1, 0)
    assert found.n_unused() == (1, 2)
    assert found.offset_norm(0) == pytest.approx((0.0, 0.0))
    assert found.offset_norm(1) is None
