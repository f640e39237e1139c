"""How good the gaze of one trial is, and whether it counts by the study's protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from domain.gaze import GazeSamples
from domain.labels import LabelMaps
from domain.study import Outcome, Protocol
from domain.trial import TrialQuality, TrialRecord
from processing.labels import SECOND_PEAK, SMALL_TARGET

FEW_FIXATIONS = 3
"""Fewer on the image say where somebody looked, and hardly how far a target reaches."""
MASK_REMARKS = {
    SMALL_TARGET: "The mask may be larger than the target: check its border.",
    SECOND_PEAK: "A second place was looked at that is in no mask: if it is a target too, correct the mask.",
}
"""What an annotator reads where the maps come with one of these warnings."""


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


@dataclass(frozen=True)
class LookVerdict:
    """What a look is worth, and why, in words for who looked.

    verdict: `good`, `check` (good gaze, doubtful mask), `warn` (weak gaze) or `stop` (does not count, look again).
    """

    verdict: str
    remarks: tuple[str, ...]


def judge_look(record: TrialRecord, maps: LabelMaps, protocol: Protocol) -> LookVerdict:
    """The verdict on gaze and mask together: a mask of nothing is not good, however well the eyes were tracked."""
    quality, is_target = record.quality, record.outcome is Outcome.TARGET
    verdict = verdict_on(quality, protocol)
    remarks = []
    if verdict == "stop":
        remarks.append("Too much gaze is missing.")
    elif verdict == "warn":
        remarks.append("Some gaze is missing: check that the mask shows all that you looked at.")
    n_on_image = int(np.all((record.fixations.xy_norm >= 0) & (record.fixations.xy_norm <= 1), axis=1).sum())
    is_empty = is_target and not (maps.levels and np.any(maps.levels[0]))
    if n_on_image == 0:
        remarks.append("Nothing on the image was looked at." if is_target else "The image was hardly looked at.")
    elif is_empty:
        remarks.append("The mask is empty.")
    elif is_target and n_on_image < FEW_FIXATIONS:
        remarks.append("The target was hardly looked at: look over all of it, from its centre to its border.")
    if is_target and not is_empty:
        stored = f"Level {maps.parameters.thresholds[0]:.2f} "  # what is said of wider levels is not about the mask
        told = [text for text in maps.warnings if SMALL_TARGET not in text or text.startswith(stored)]
        remarks += [words for kind, words in MASK_REMARKS.items() if any(kind in text for text in told)]
    if is_target and (n_on_image == 0 or is_empty):
        verdict = "stop"
    elif verdict == "good" and n_on_image < (FEW_FIXATIONS if is_target else 1):
        verdict = "warn"
    elif verdict == "good" and remarks:
        verdict = "check"
    return LookVerdict(verdict, tuple(remarks))
