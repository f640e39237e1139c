import numpy as np
import pytest

from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.study import Protocol
from domain.trial import TrialQuality
from workflows.gaze_quality import measure_quality, verdict_on, with_warnings

RATE_HZ = 100
STEP_NS = 10_000_000


def samples(n: int, lost: slice = slice(0, 0)) -> GazeSamples:
    records = np.zeros(n, SAMPLE_RECORD)
    records["seq"] = np.arange(n)
    records["time_ns"] = np.arange(n) * STEP_NS
    records["gaze_valid"] = 1
    records["gaze_valid"][lost] = 0
    return GazeSamples.from_records(records)


def test_that_lost_samples_are_counted_and_the_longest_gap_is_measured():
    quality = measure_quality(samples(1000, slice(200, 300)), start_ns=0, end_ns=1000 * STEP_NS)
    assert quality.loss == pytest.approx(0.100)
    assert quality.longest_gap_s == pytest.approx(1.01)
    assert quality.rate_hz == pytest.approx(RATE_HZ)
    assert quality.active_s == pytest.approx(9.0)


def test_that_time_without_any_sample_counts_as_lost():
    half = samples(1000)[slice(0, 500)]
    quality = measure_quality(half, start_ns=0, end_ns=1000 * STEP_NS)
    assert quality.loss == pytest.approx(0.5)
    assert quality.longest_gap_s == pytest.approx(5.01)


def test_that_a_trial_without_samples_is_all_loss():
    quality = measure_quality(GazeSamples.empty(), start_ns=0, end_ns=2_000_000_000)
    assert quality.loss == 1.0
    assert quality.longest_gap_s == 2.0


@pytest.mark.parametrize(
    ("loss", "gap_s", "n_warnings", "verdict"),
    [
        pytest.param(0.05, 0.5, 0, "good", id="good"),
        pytest.param(0.10, 0.5, 1, "warn", id="loss warns at 10 %"),
        pytest.param(0.05, 1.5, 1, "warn", id="a gap warns at 1.5 s"),
        pytest.param(0.15, 0.5, 1, "stop", id="loss stops at 15 %"),
        pytest.param(0.05, 3.0, 1, "stop", id="a gap stops at 3 s"),
    ],
)
def test_that_the_protocol_decides_what_counts(loss, gap_s, n_warnings, verdict):
    quality = with_warnings(TrialQuality(loss=loss, longest_gap_s=gap_s), Protocol())
    assert len(quality.warnings) == n_warnings
    assert verdict_on(quality, Protocol()) == verdict
