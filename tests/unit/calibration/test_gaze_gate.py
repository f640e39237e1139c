from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.known_gaze import PLANE, look_at
from calibration.animation import TargetPhase, target_look
from calibration.position import head_position, measured_rate_hz
from calibration.stability import Stability, StabilityGate
from domain.calibration import Eyes
from domain.gaze import GazeSamples

HERE = (0.5, 0.5)


def judge(samples: GazeSamples, gate: StabilityGate | None = None, **kwargs: object) -> Stability:
    return (gate or StabilityGate()).judge(samples, PLANE, distance_mm=650.0, **kwargs)  # type: ignore[arg-type]


def joined(*parts: GazeSamples) -> GazeSamples:
    return GazeSamples.concatenate(list(parts))


@pytest.mark.parametrize("sd_deg", [0.0, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("rate_hz", [60.0, 120.0, 600.0])
def test_that_a_resting_gaze_is_stable_at_every_rate_and_usual_noise(rate_hz: float, sd_deg: float) -> None:
    found = judge(look_at(HERE, n=round(rate_hz / 2), rate_hz=rate_hz, sd_deg=sd_deg, seed=2), rate_hz=rate_hz)
    assert found.is_stable
    assert found.eyes_seen == (True, True)


def test_that_a_saccade_in_the_window_is_not_stable() -> None:
    late = joined(look_at((0.2, 0.5), n=54), look_at((0.5, 0.5), n=6, start_ns=900_000_000))
    assert judge(late).reason == "the eyes still move"


def test_that_a_slow_drift_across_the_window_is_not_stable() -> None:
    drifting = joined(*(look_at(HERE, n=1, offset_deg=(0.2 * i, 0.0), start_ns=round(i * 1e9 / 60)) for i in range(30)))
    assert not judge(drifting).is_stable


def test_that_the_window_must_lie_wholly_after_the_targets_arrival() -> None:
    samples = look_at(HERE, n=60)
    assert judge(samples, not_before_ns=700_000_000).is_stable
    assert judge(samples, not_before_ns=900_000_000).reason == "the target has just arrived"
    assert judge(samples, not_before_ns=900_000_000).is_anybody_there


def test_that_80_percent_must_be_valid() -> None:
    samples = look_at(HERE, n=60)
    for n_lost, is_stable in ((2, True), (3, False)):
        samples.gaze_valid[:] = True
        samples.gaze_valid[-n_lost:] = False
        assert judge(samples).is_stable is is_stable


def test_that_the_better_eye_decides_and_the_unwanted_one_never() -> None:
    left_only = look_at(HERE, n=60, valid=(True, False))
    assert judge(left_only).is_stable
    assert not judge(left_only, StabilityGate(eyes=Eyes.RIGHT)).is_stable


def test_that_a_silent_tracker_is_nobody_and_sparse_samples_count_as_lost() -> None:
    samples = look_at(HERE, n=60)
    end = int(samples.time_ns[-1])
    assert judge(samples, now_ns=end + 100_000_000).is_stable
    assert not judge(samples, now_ns=end + 400_000_000).is_anybody_there
    assert not judge(GazeSamples.empty()).is_anybody_there
    assert not judge(samples[::2], rate_hz=60.0).is_stable


def test_that_a_calibrated_gaze_must_be_near_the_target() -> None:
    gate = StabilityGate(near_deg=3.0)
    assert judge(look_at(HERE, offset_deg=(2.5, 0.0)), gate, target_norm=HERE).is_stable
    assert "away from the target" in judge(look_at(HERE, offset_deg=(4.0, 0.0)), gate, target_norm=HERE).reason


def test_that_nystagmus_has_no_limit_on_movement() -> None:
    wild = look_at(HERE, n=60, sd_deg=3.0)
    assert not judge(wild).is_stable
    assert judge(wild, StabilityGate(dispersion_deg=None)).is_stable


def moved(samples: GazeSamples, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> GazeSamples:
    samples.origin_mm[:] += (x, y, z)
    return samples


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        pytest.param({}, (), id="well placed"),
        pytest.param({"z": 160.0}, ("Come 16 cm closer.",), id="too far"),
        pytest.param({"z": -120.0}, ("Move 12 cm back.",), id="too near"),
        pytest.param({"x": 70.0}, ("Move 7 cm to your left.",), id="too far right"),
        pytest.param({"x": -60.0}, ("Move 6 cm to your right.",), id="too far left"),
        pytest.param({"y": 80.0}, ("Sit 8 cm lower, or move the screen.",), id="too high"),
        pytest.param({"y": -80.0}, ("Sit 8 cm higher, or move the screen.",), id="too low"),
    ],
)
def test_that_the_position_guide_says_what_to_do(shift: dict[str, float], words: tuple[str, ...]) -> None:
    found = head_position(moved(look_at(HERE), **shift), PLANE, ideal_distance_mm=650.0)
    assert found.advice == words
    assert found.is_good is (not words)
    assert found.distance_mm == pytest.approx(650.0 + shift.get("z", 0.0))
    assert found.sideways_mm == pytest.approx(shift.get("x", 0.0), abs=1e-4)
    assert found.rate_hz == pytest.approx(60.0, abs=0.01)


def test_that_a_tilted_head_is_noticed() -> None:
    samples = look_at(HERE)
    samples.origin_mm[:, 1, 1] += 63.0 * math.tan(math.radians(20))
    found = head_position(samples, PLANE, ideal_distance_mm=650.0)
    assert found.roll_deg == pytest.approx(20.0, abs=0.01)
    assert "tilted by 20°" in found.advice[0]


def test_that_a_missing_eye_is_named_and_the_head_is_still_in_the_middle() -> None:
    found = head_position(look_at(HERE, valid=(True, False)), PLANE, ideal_distance_mm=650.0)
    assert found.eyes_seen == (True, False)
    assert found.sideways_mm == pytest.approx(0.0, abs=1e-4)
    assert found.advice == ("The right eye is not seen.",)
    only = head_position(look_at(HERE, valid=(True, False)), PLANE, ideal_distance_mm=650.0, wanted=(True, False))
    assert only.is_good


def test_that_nobody_and_nothing_are_told_apart() -> None:
    assert "no samples" in head_position(GazeSamples.empty(), PLANE, ideal_distance_mm=650.0).advice[0]
    assert "No eyes" in head_position(look_at(HERE, valid=(False, False)), PLANE, ideal_distance_mm=650.0).advice[0]
    assert measured_rate_hz(look_at(HERE, n=1)) == 0.0


def test_that_loss_is_told_per_eye() -> None:
    samples = look_at(HERE, n=100)
    samples.gaze_valid[:30, 0] = False
    found = head_position(samples, PLANE, ideal_distance_mm=650.0)
    assert found.loss == (pytest.approx(0.3), 0.0)
    assert "30% of the gaze is lost" in found.advice[0]


def look(phase: TargetPhase, elapsed_s: float, **kwargs: bool) -> tuple[float, float, float]:
    found = target_look(
        phase,
        elapsed_s,
        start=(0.1, 0.1),
        end=(0.9, 0.5),
        travel_s=0.6,
        shrink_s=0.5,
        outer_deg=0.6,
        inner_deg=0.1,
        **kwargs,
    )
    return *found.xy_norm, found.outer_deg


def test_that_a_target_travels_smoothly_and_shrinks_to_its_size() -> None:
    assert look(TargetPhase.TRAVEL, 0.0) == pytest.approx((0.1, 0.1, 1.2))
    assert look(TargetPhase.TRAVEL, 0.3) == pytest.approx((0.5, 0.3, 1.2))
    assert look(TargetPhase.TRAVEL, 9.0) == pytest.approx((0.9, 0.5, 1.2))
    way = [look(TargetPhase.TRAVEL, t)[0] for t in np.linspace(0, 0.6, 50)]
    assert np.all(np.diff(way) >= 0)
    assert look(TargetPhase.SHRINK, 0.0)[2] == pytest.approx(1.2)
    assert look(TargetPhase.SHRINK, 0.5)[2] == pytest.approx(0.6)
    assert all(0.38 <= look(TargetPhase.PULSE, t)[2] <= 0.6 for t in np.linspace(0, 5, 50))


def test_that_a_point_asked_again_blinks() -> None:
    kwargs = {"start": HERE, "end": HERE, "travel_s": 0.6, "shrink_s": 0.5, "outer_deg": 0.6, "inner_deg": 0.1}
    seen = [
        target_look(TargetPhase.TRAVEL, t, is_retry=True, **kwargs).is_visible  # type: ignore[arg-type]
        for t in np.arange(0.0, 0.6, 0.02)
    ]
    assert 0.3 < np.mean(seen) < 0.7
    assert not target_look(TargetPhase.HIDDEN, 0.0, **kwargs).is_visible  # type: ignore[arg-type]
