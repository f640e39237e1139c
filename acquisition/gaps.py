"""Every stretch without usable gaze, with its cause."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acquisition.tracker import CONNECTION_LOST, HOST_LATE, STREAM_OVERFLOW
from domain.gaze import GazeSamples
from domain.session import Gap, GapCause, Notification

BLINK_MS = (50.0, 500.0)
"""Without a measure of the lids, both eyes gone for so long count as a blink."""

CLOSED_SHARE = 0.6
LATE = 1.5
"""A step longer than so many sample intervals is a gap."""


def find_gaps(samples: GazeSamples, notifications: Sequence[Notification], *, rate_hz: float) -> tuple[Gap, ...]:
    """Gaps in order of time: missing samples first explained, then runs in which both eyes are invalid."""
    if len(samples) < 2:
        return ()
    found = _missing(samples, notifications, rate_hz) + _invalid(samples, rate_hz)
    return tuple(sorted(found, key=lambda gap: gap.start_ns))


def n_missing_by_device(device_us: NDArray[np.int64], rate_hz: float) -> int:
    """Samples that the device's own stamps say are missing, whatever the host numbered.

    Step by step, not as span times rate: a device clock that runs 30 ppm fast is 133 samples ahead after an hour at
    1200 Hz, none of which was ever made.
    """
    return int(np.sum(np.rint(np.diff(device_us) * (rate_hz / 1e6)) - 1)) if len(device_us) else 0


def _missing(samples: GazeSamples, notifications: Sequence[Notification], rate_hz: float) -> list[Gap]:
    times = samples.time_ns
    steps = np.diff(times)
    period_ns = 1e9 / rate_hz if rate_hz > 0 else float(np.median(steps))
    holes = np.diff(samples.seq) - 1
    lost = [n.time_ns for n in notifications if n.kind == CONNECTION_LOST]
    overflows = [n.time_ns for n in notifications if n.kind == STREAM_OVERFLOW]
    late = [
        (n.time_ns - int(float(n.payload.get("seconds", 0.0)) * 1e9), n.time_ns)
        for n in notifications
        if n.kind == HOST_LATE
    ]
    found = []
    for i in np.flatnonzero((steps > LATE * period_ns) | (holes > 0)):
        start, end = int(times[i]), int(times[i + 1])
        missing = max(round(float(steps[i]) / period_ns) - 1, int(holes[i]))
        slack = int(2 * period_ns) + 1_000_000  # the notification and the samples come on different threads
        if holes[i] > 0 or any(start - slack <= t <= end + slack for t in overflows):
            cause = GapCause.OVERFLOW
        elif any(start - slack <= t <= end + slack for t in lost):
            cause = GapCause.DISCONNECTED
        elif any(min(end, stop) - max(start, begin) > (end - start) / 2 for begin, stop in late):
            cause = GapCause.OVERFLOW  # we were not scheduled, and what was sent meanwhile found nobody
        else:
            cause = GapCause.TRACKER_SILENT
        found.append(Gap(start, end, cause, missing))
    return found


def _invalid(samples: GazeSamples, rate_hz: float) -> list[Gap]:
    bad = ~samples.gaze_valid.any(axis=1)
    if not bad.any():
        return []
    times = samples.time_ns
    period_ns = 1e9 / rate_hz if rate_hz > 0 else float(np.median(np.diff(times)))
    edges = np.diff(np.concatenate([[0], bad.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    openness = np.where(samples.openness_valid, samples.openness_mm, np.nan)
    usual = float(np.nanmedian(openness)) if samples.openness_valid.any() else np.nan
    found = []
    for first, stop in zip(starts, stops, strict=True):
        # Where samples are missing inside the run, that stretch has been explained already.
        inner = np.flatnonzero(np.diff(times[first:stop]) > LATE * period_ns) + first + 1
        for a, b in zip([first, *inner], [*inner, stop], strict=True):
            before = int(times[a - 1]) if a > first or a > 0 else int(times[a])
            start = before if times[a] - before <= LATE * period_ns else int(times[a])
            after = int(times[b]) if b < len(times) else int(times[b - 1])
            end = after if after - times[b - 1] <= LATE * period_ns else int(times[b - 1])
            cause = _why(openness[a:b], usual, (end - start) / 1e6)
            found.append(Gap(start, end, cause, 0))
    return found


def _why(openness: NDArray[np.float64], usual: float, duration_ms: float) -> GapCause:
    if np.isfinite(usual) and np.isfinite(openness).any():
        return GapCause.BLINK if np.nanmin(openness) < CLOSED_SHARE * usual else GapCause.EYES_LOST
    return GapCause.BLINK if BLINK_MS[0] <= duration_ms <= BLINK_MS[1] else GapCause.EYES_LOST
