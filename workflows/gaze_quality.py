"""How good the gaze of one trial is, and whether it counts by the study's protocol."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from domain.gaze import GazeSamples
from domain.study import Protocol
from domain.trial import TrialQuality


def measure_quality(samples: GazeSamples, *, start_ns: int, end_ns: int) -> TrialQuality:
    """Data loss, longest gap and measured rate of one trial.

    A sample is lost when neither eye is valid; time in which no sample came counts as lost too, at the median interval.
    """
    length_s = max(end_ns - start_ns, 0) / 1e9
    valid_ns = samples.time_ns[samples.gaze_valid.any(axis=1)]
    if len(samples) < 2 or length_s == 0:
        return TrialQuality(loss=1.0, longest_gap_s=length_s, n_samples=len(samples), active_s=0.0)
    interval_ns = float(np.median(np.diff(samples.time_ns)))
    n_expected = max((end_ns - start_ns) / interval_ns, 1.0)
    edges = np.concatenate([[start_ns], valid_ns, [end_ns]])
    longest_s = float(np.diff(edges).max()) / 1e9
    loss = float(np.clip(1.0 - len(valid_ns) / n_expected, 0.0, 1.0))
    return TrialQuality(
        loss=loss,
        longest_gap_s=longest_s,
        n_samples=len(samples),
        active_s=length_s * (1.0 - loss),
        rate_hz=1e9 / interval_ns,
    )


def with_warnings(quality: TrialQuality, protocol: Protocol) -> TrialQuality:
    """The same quality with a sentence for each limit that is passed."""
    found = []
    if quality.loss >= protocol.warn_loss:
        found.append(f"{quality.loss:.0%} of the gaze was lost.")
    if quality.longest_gap_s >= protocol.warn_gap_s:
        found.append(f"The eyes were lost for {quality.longest_gap_s:.1f} s.")
    return replace(quality, warnings=tuple(found))


def verdict_on(quality: TrialQuality, protocol: Protocol) -> str:
    """`good`, `warn`, or `stop` (does not count, look again), by the study's limits."""
    if quality.loss >= protocol.stop_loss or quality.longest_gap_s >= protocol.stop_gap_s:
        return "stop"
    if quality.loss >= protocol.warn_loss or quality.longest_gap_s >= protocol.warn_gap_s:
        return "warn"
    return "good"
