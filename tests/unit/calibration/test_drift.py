from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.known_gaze import PLANE, look_at
from calibration.acceptance import can_be_overridden, objections
from calibration.drift import FIVE_DOTS, ONE_DOT, DriftCorrection, DriftLog, DriftSchedule, assess, correction_for
from calibration.engine_events import Attempt, Cancel, OperatorAccepts, PointVerdict, ScreenChanged, Tick, TrackerGone
from calibration.fixation_run import FixationRun, RunPace, RunState
from calibration.stability import NOBODY, Stability
from calibration.target import ComputeResult, PointSamples
from calibration.validation import point_quality, validate
from domain.calibration import DriftCheck, DriftVerdict, Eyes
from domain.gaze import GazeSamples

STABLE = Stability(True, 1.0, 0.2, (True, True))
MOVING = Stability(False, 1.0, 3.0, (True, True), "the eyes still move")
MS = 1_000_000


def looks(
    dots: tuple[tuple[float, float], ...], offset_deg: tuple[float, float], **kwargs: object
) -> list[tuple[tuple[float, float], GazeSamples]]:
    return [(dot, look_at(dot, n=30, offset_deg=offset_deg, seed=i, **kwargs)) for i, dot in enumerate(dots)]  # type: ignore[arg-type]


def checked(found: list[tuple[tuple[float, float], GazeSamples]]) -> DriftCheck:
    return assess([q for dot, samples in found for q in point_quality(samples, dot, PLANE)])


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        pytest.param(0.0, DriftVerdict.PASS, id="none"),
        pytest.param(0.49, DriftVerdict.PASS, id="just passes"),
        pytest.param(0.51, DriftVerdict.OFFER, id="just offered"),
        pytest.param(1.99, DriftVerdict.OFFER, id="largest offered"),
        pytest.param(2.01, DriftVerdict.RECALIBRATE, id="too much"),
    ],
)
@pytest.mark.parametrize("dots", [ONE_DOT, FIVE_DOTS])
def test_that_the_verdict_follows_the_limits(
    offset: float, verdict: DriftVerdict, dots: tuple[tuple[float, float], ...]
) -> None:
    assert checked(looks(dots, (offset, 0.0))).verdict is verdict


def test_that_a_dot_that_nobody_looked_at_gives_no_verdict() -> None:
    found = [*looks(FIVE_DOTS[:4], (0.0, 0.0)), (FIVE_DOTS[4], GazeSamples.empty())]
    check = checked(found)
    assert check.verdict is DriftVerdict.NO_DATA
    assert math.isnan(check.offset_deg)
    assert DriftCheck.from_json(check.as_json()).verdict is DriftVerdict.NO_DATA


def test_that_one_eye_alone_can_be_checked() -> None:
    assert checked(looks(ONE_DOT, (1.0, 0.0), valid=(True, False))).verdict is DriftVerdict.OFFER


@pytest.mark.parametrize("dots", [ONE_DOT, FIVE_DOTS])
def test_that_the_correction_takes_an_injected_degree_away_and_leaves_raw_gaze_as_it_was(
    dots: tuple[tuple[float, float], ...],
) -> None:
    correction = correction_for(looks(dots, (0.8, -0.6), sd_deg=0.2), PLANE)
    later = look_at((0.6, 0.4), n=200, offset_deg=(0.8, -0.6), seed=9)
    raw = later.gaze_norm.copy()
    after = correction.corrected(later, PLANE)
    assert point_quality(after, (0.6, 0.4), PLANE)[2].accuracy_mean_deg < 0.15
    assert np.array_equal(later.gaze_norm, raw)
    assert np.allclose(after.gaze_mm, PLANE.mm_from_norm(after.gaze_norm), atol=0.05)


def test_that_five_dots_correct_a_stretch_that_a_translation_cannot() -> None:
    def stretched(dot: tuple[float, float]) -> GazeSamples:
        return look_at((0.5 + 1.06 * (dot[0] - 0.5), 0.5 + 0.95 * (dot[1] - 0.5)), n=30)

    five = correction_for([(dot, stretched(dot)) for dot in FIVE_DOTS], PLANE)
    assert five.kind == "affine"
    corner = (0.15, 0.85)
    before = point_quality(stretched(corner), corner, PLANE)[2].accuracy_mean_deg
    after = point_quality(five.corrected(stretched(corner), PLANE), corner, PLANE)[2].accuracy_mean_deg
    assert before > 0.8
    assert after < 0.35 * before


def test_that_an_eye_without_data_follows_the_other() -> None:
    correction = correction_for(looks(ONE_DOT, (1.0, 0.0), valid=(False, True)), PLANE)
    assert correction.matrices[0] == correction.matrices[1]
    assert correction.kind == "translation"
    assert correction_for([(ONE_DOT[0], GazeSamples.empty())], PLANE).kind == "none"


def test_that_only_gaze_after_the_check_is_corrected() -> None:
    correction = correction_for(looks(ONE_DOT, (1.0, 0.0)), PLANE, from_ns=500_000_000)
    samples = look_at((0.5, 0.5), n=60)
    after = correction.corrected(samples, PLANE)
    early = samples.time_ns < 500_000_000
    assert np.array_equal(after.gaze_norm[early], samples.gaze_norm[early])
    assert not np.allclose(after.gaze_norm[~early], samples.gaze_norm[~early])


def test_that_corrections_are_numbered_logged_and_can_be_undone() -> None:
    log = DriftLog()
    assert log.active.kind == "none"
    first = log.apply(correction_for(looks(ONE_DOT, (1.0, 0.0)), PLANE))
    second = log.apply(correction_for(looks(ONE_DOT, (0.6, 0.0)), PLANE))
    assert (first.version, second.version) == (1, 2)
    assert log.undo() == first
    assert log.undo().kind == "none"
    assert log.undo().kind == "none"
    third = log.apply(second)
    assert third.version == 3
    assert [word for word, _ in log.entries] == ["apply", "apply", "undo", "undo", "apply"]
    assert DriftCorrection.none().as_json()["kind"] == "none"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        pytest.param((9, 60.0, 0.0), "", id="not yet"),
        pytest.param((10, 60.0, 0.0), "10 images since the last check", id="images"),
        pytest.param((1, 1200.0, 0.0), "20 minutes since the last check", id="minutes"),
        pytest.param((0, 0.0, 12.0), "you were away for 12 s", id="away"),
    ],
)
def test_that_a_check_is_due_after_images_minutes_or_an_absence(state: tuple[int, float, float], words: str) -> None:
    n, since, away = state
    assert DriftSchedule().why_due(n_images=n, since_check_s=since, away_s=away) == words


def drive(run: FixationRun, gaze: list[tuple[float, Stability]], *, limit_s: float = 120.0) -> float:
    """Run with the stability that holds from each time (s) on; returns when it was over."""
    run.start(0)
    now = 0
    while not run.is_over and now < limit_s * 1e9:
        now += 16 * MS
        current = [stability for start, stability in gaze if start * 1e9 <= now][-1]
        run.handle(Tick(current), now)
    return now / 1e9


def test_that_a_validation_run_collects_one_second_at_each_point() -> None:
    run = FixationRun(((0.3, 0.3), (0.7, 0.7)))
    took = drive(run, [(0.0, STABLE)])
    assert run.state is RunState.DONE
    assert took < 6
    assert [look.point for look in run.looks] == [(0.3, 0.3), (0.7, 0.7)]
    assert all(look.is_stable and look.end_ns - look.start_ns == 1_000_000_000 for look in run.looks)


def test_that_a_validation_measures_also_an_unsteady_look_and_says_so() -> None:
    run = FixationRun(((0.3, 0.3),))
    drive(run, [(0.0, MOVING)])
    assert run.looks[0].has_window
    assert not run.looks[0].is_stable


def test_that_a_drift_check_takes_only_a_look_that_holds_half_a_second() -> None:
    pace = RunPace(collect_s=0.5, must_be_stable=True)
    run = FixationRun(ONE_DOT, pace)
    drive(run, [(0.0, STABLE), (1.3, MOVING), (1.7, STABLE)])
    assert run.looks[0].is_stable
    assert run.looks[0].start_ns > 1.7e9


@pytest.mark.parametrize(
    ("gaze", "reason"),
    [
        pytest.param([(0.0, MOVING)], "the eyes still move", id="never still"),
        pytest.param([(0.0, STABLE), (0.9, NOBODY)], "nobody is seen", id="person leaves"),
        pytest.param(
            [(t / 10, STABLE if t % 4 else MOVING) for t in range(200)], "the eyes still move", id="again and again"
        ),
    ],
)
def test_that_a_drift_check_without_a_stable_look_ends_with_the_reason(
    gaze: list[tuple[float, Stability]], reason: str
) -> None:
    run = FixationRun(ONE_DOT, RunPace(collect_s=0.5, must_be_stable=True))
    took = drive(run, gaze)
    assert run.state is RunState.DONE
    assert run.looks[0].reason == reason
    assert not run.looks[0].has_window
    assert took <= 12.0


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Cancel(), "cancelled"),
        (TrackerGone(), "the tracker was lost"),
        (ScreenChanged(), "the screen changed"),
    ],
)
def test_that_a_run_ends_at_once_on_cancel_loss_or_another_screen(event: object, reason: str) -> None:
    for moment in range(0, 4000, 160):
        run = FixationRun(((0.3, 0.3), (0.7, 0.7)))
        run.start(0)
        for now in range(0, moment, 16):
            run.handle(Tick(STABLE), now * MS)
        run.handle(event, moment * MS)  # type: ignore[arg-type]
        assert (run.state, run.reason) == (RunState.ENDED, reason) or run.state is RunState.DONE


def test_that_an_operator_can_say_go_on() -> None:
    run = FixationRun(ONE_DOT)
    run.start(0)
    for now in range(0, 1400, 16):
        run.handle(Tick(MOVING), now * MS)
    run.handle(OperatorAccepts(), 1400 * MS)
    assert run.state is RunState.COLLECT
    with pytest.raises(ValueError, match="at least one point"):
        FixationRun(())


def attempt(eyes: tuple[bool, bool] = (True, True), *, is_success: bool = True) -> Attempt:
    points = ((0.1, 0.1), (0.9, 0.9))
    validity = np.tile(np.where(np.array(eyes), 1, -1).astype(np.int8), (4, 1))
    samples = tuple(PointSamples(p, np.tile(np.array(p), (4, 2, 1)), validity) for p in points)
    return Attempt(
        1, tuple(PointVerdict(p) for p in points), ComputeResult(is_success, samples if is_success else ()), b"x"
    )


def validation_of(offset: float = 0.3, valid: tuple[bool, bool] = (True, True)) -> object:
    return validate(
        [q for d in FIVE_DOTS for q in point_quality(look_at(d, offset_deg=(offset, 0.0), valid=valid), d, PLANE)]
    )


def test_that_a_good_calibration_may_start_and_a_bad_one_says_why_not() -> None:
    assert objections(attempt(), validation_of(), Eyes.BOTH) == ()  # type: ignore[arg-type]
    assert objections(attempt(), None, Eyes.BOTH) == ("The calibration was not validated.",)
    assert objections(attempt(), validation_of(2.5), Eyes.BOTH)[0].startswith("POOR")  # type: ignore[arg-type]
    one = objections(attempt((True, False)), validation_of(0.3, (True, False)), Eyes.BOTH)  # type: ignore[arg-type]
    assert one == ("The right eye is not calibrated.", "The right eye was not seen in the validation.")
    assert objections(attempt((True, False)), validation_of(0.3, (True, False)), Eyes.LEFT) == ()  # type: ignore[arg-type]


def test_that_a_calibration_that_was_never_computed_cannot_be_overridden() -> None:
    failed = attempt(is_success=False)
    assert objections(failed, None, Eyes.BOTH) == ("There is no calibration: the tracker computed none.",)
    assert not can_be_overridden(failed)
    assert not can_be_overridden(None)
    assert can_be_overridden(attempt())
