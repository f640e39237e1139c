import numpy as np
import pytest

from domain.fixations import ImageFixations
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.labels import LabelMaps, LabelParameters
from domain.study import Outcome, Protocol
from domain.trial import TrialQuality, TrialRecord
from processing.labels import SECOND_PEAK, SMALL_TARGET
from workflows.gaze_quality import judge_look, measure_quality, verdict_on, with_warnings

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


def judged(xy: list[tuple[float, float]], *, outcome: Outcome = Outcome.TARGET, warnings: tuple[str, ...] = ()):
    at = np.array(xy, float).reshape(-1, 2)
    lengths = np.full(len(at), 300.0)
    fixations = ImageFixations(at, lengths, np.arange(len(at)) * 400.0, np.full(len(at), np.nan))
    on_image = bool(len(at)) and bool(((at >= 0) & (at <= 1)).all(1).any()) and outcome is Outcome.TARGET
    heatmap = np.full((8, 8), 1.0 if on_image else 0.0, np.float32)
    record = TrialRecord(
        "t", "i", "anna", "polyp", outcome=outcome, fixations=fixations, quality=TrialQuality(n_samples=100)
    )
    return judge_look(record, LabelMaps(heatmap, heatmap, LabelParameters(), warnings), Protocol())


@pytest.mark.parametrize(
    ("xy", "warnings", "verdict", "words"),
    [
        pytest.param([(0.5, 0.5)] * 5, (), "good", "", id="good"),
        pytest.param([], (), "stop", "Nothing on the image", id="no fixation"),
        pytest.param([(1.5, 0.5)] * 5, (), "stop", "Nothing on the image", id="all beside the image"),
        pytest.param([(0.5, 0.5)], (), "warn", "hardly looked at", id="one fixation"),
        pytest.param([(0.5, 0.5)] * 5, (f"Level 0.50 is {SMALL_TARGET}.",), "check", "check its border", id="size"),
        pytest.param([(0.5, 0.5)] * 5, (f"Level 0.30 is {SMALL_TARGET}.",), "good", "", id="size of a wider level"),
        pytest.param([(0.5, 0.5)] * 5, (f"{SECOND_PEAK} of 0.2 at (3, 4)",), "check", "second place", id="peak"),
    ],
)
def test_that_a_mask_of_little_or_nothing_is_not_good_gaze(xy, warnings, verdict, words):
    found = judged(xy, warnings=warnings)
    assert found.verdict == verdict
    said = " ".join(found.remarks)
    assert words in said
    assert bool(said) == bool(words)
    assert "sigma" not in said
    assert "(3, 4)" not in said


def test_that_no_target_needs_no_mask_but_a_look():
    assert judged([(0.5, 0.5)] * 4, outcome=Outcome.NO_TARGET).verdict == "good"
    assert judged([], outcome=Outcome.NO_TARGET).verdict == "warn"
