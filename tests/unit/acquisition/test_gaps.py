from __future__ import annotations

import numpy as np
import pytest

from acquisition.gaps import find_gaps, n_missing_by_device
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.session import GapCause, Notification

PERIOD_NS = 10_000_000


def steady(n: int = 400) -> np.ndarray:
    rows = np.zeros(n, SAMPLE_RECORD)
    rows["seq"] = np.arange(n)
    rows["time_ns"] = 10**12 + np.arange(n) * PERIOD_NS
    for field in ("gaze_valid", "origin_valid", "pupil_valid", "openness_valid"):
        rows[field] = 1
    rows["openness_mm"] = 10.0
    return rows


def gaps(rows: np.ndarray, *notifications: Notification) -> list[tuple[GapCause, int, int]]:
    found = find_gaps(GazeSamples.from_records(rows), notifications, rate_hz=100.0)
    return [(gap.cause, round(gap.duration_ms), gap.n_missing) for gap in found]


def without(rows: np.ndarray, first: int, last: int) -> np.ndarray:
    return np.delete(rows, slice(first, last))


def test_that_steady_samples_have_no_gap() -> None:
    assert gaps(steady()) == []
    assert gaps(steady(1)) == []
    assert gaps(steady(0)) == []


def test_that_missing_samples_are_the_trackers_silence() -> None:
    rows = without(steady(), 100, 120)
    rows["seq"] = np.arange(len(rows))  # the host never saw them
    assert gaps(rows) == [(GapCause.TRACKER_SILENT, 210, 20)]


def test_that_missing_numbers_are_our_overflow() -> None:
    assert gaps(without(steady(), 100, 120)) == [(GapCause.OVERFLOW, 210, 20)]


@pytest.mark.parametrize(
    ("kind", "cause"),
    [("connection_lost", GapCause.DISCONNECTED), ("stream_buffer_overflow", GapCause.OVERFLOW)],
)
def test_that_notifications_explain_missing_samples(kind: str, cause: GapCause) -> None:
    rows = without(steady(), 100, 120)
    rows["seq"] = np.arange(len(rows))
    assert gaps(rows, Notification(10**12 + 101 * PERIOD_NS, kind)) == [(cause, 210, 20)]
    elsewhere = Notification(10**12 + 300 * PERIOD_NS, kind)
    assert gaps(rows, elsewhere) == [(GapCause.TRACKER_SILENT, 210, 20)]


def test_that_closing_lids_make_a_blink_however_long() -> None:
    rows = steady()
    rows["gaze_valid"][100:180] = 0
    rows["openness_mm"][100:180] = 2.0
    assert gaps(rows) == [(GapCause.BLINK, 810, 0)]


def test_that_open_lids_without_gaze_are_lost_eyes() -> None:
    rows = steady()
    rows["gaze_valid"][100:115] = 0
    assert gaps(rows) == [(GapCause.EYES_LOST, 160, 0)]


@pytest.mark.parametrize(("n", "cause"), [(2, GapCause.EYES_LOST), (15, GapCause.BLINK), (80, GapCause.EYES_LOST)])
def test_that_without_lids_the_length_decides(n: int, cause: GapCause) -> None:
    rows = steady()
    rows["openness_valid"] = 0
    rows["openness_mm"] = np.nan
    rows["gaze_valid"][100 : 100 + n] = 0
    assert gaps(rows) == [(cause, (n + 1) * 10, 0)]


def test_that_one_eye_is_enough() -> None:
    rows = steady()
    rows["gaze_valid"][100:180, 0] = 0
    assert gaps(rows) == []


def test_that_a_gap_while_the_host_was_not_scheduled_is_ours() -> None:
    rows = without(steady(), 100, 120)
    rows["seq"] = np.arange(len(rows))
    after = int(rows["time_ns"][100])
    assert gaps(rows, Notification(after, "host_late", {"seconds": 0.2})) == [(GapCause.OVERFLOW, 210, 20)]
    earlier = Notification(after - 10**9, "host_late", {"seconds": 0.2})
    assert gaps(rows, earlier) == [(GapCause.TRACKER_SILENT, 210, 20)]


def test_that_a_device_clock_that_drifts_makes_no_samples_missing() -> None:
    n, rate_hz = 4_425_495, 1200.0  # the hour in which the span of the stamps, 30 ppm long, seemed to lack 133 samples
    stamps = np.rint(np.arange(n) / rate_hz * 1e6 * (1 + 30e-6)).astype(np.int64)
    assert round((stamps[-1] - stamps[0]) * rate_hz / 1e6) + 1 - n == 133
    assert n_missing_by_device(stamps, rate_hz) == 0
    assert n_missing_by_device(np.delete(stamps, slice(1000, 1133)), rate_hz) == 133
    assert n_missing_by_device(stamps[:0], rate_hz) == 0
