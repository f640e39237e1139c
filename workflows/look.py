"""One look at an image, and what its gaze says: fixations on the image, loss, gaps, active time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.drift import DriftCorrection
from calibration.geometry import ScreenPlane
from domain.display import Display
from domain.fixations import ImageFixations
from domain.gaze import GazeSamples
from domain.study import Outcome, Protocol
from domain.trial import TrialQuality
from domain.view import ImageView
from processing.detector import detect
from processing.image_fixations import to_image_fixations
from workflows.active_time import active_seconds
from workflows.gaze_quality import measure_quality

DETECTOR = "ivt"


@dataclass(frozen=True)
class Look:
    """What was seen of one image, before anything is computed from it.

    views: when the image lay where. counted: stretches in which gaze counted. behind: stretches in which another window
    was in front. acted_ns: when a key or the pointer was used.
    """

    trial_id: str
    image_id: str
    target: str
    started_ns: int
    ended_ns: int
    views: tuple[tuple[int, ImageView], ...]
    counted: tuple[tuple[int, int], ...]
    samples: GazeSamples
    display: Display
    session_file: str
    is_simulated: bool
    outcome: Outcome = Outcome.TARGET
    behind: tuple[tuple[int, int], ...] = ()
    acted_ns: tuple[int, ...] = ()
    correction: DriftCorrection = field(default_factory=DriftCorrection.none)


def counted_stretches(started: int, ended: int, shut: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The parts of a look during which gaze counted: all of it but pauses and the clutch let go."""
    parts, begin = [], started
    for left, back in sorted(shut):
        if left > begin:
            parts.append((begin, left))
        begin = max(begin, back)
    if begin < ended:
        parts.append((begin, ended))
    return tuple(parts)


def image_fixations_of(look: Look, protocol: Protocol) -> ImageFixations:
    """The fixations of a look on its image, with the first moments and everything that does not count left out."""
    # Raw gaze stays as it is; a drift correction holds for what is derived from it.
    samples = look.correction.corrected(look.samples, ScreenPlane.upright(look.display))
    detection = detect(DETECTOR, samples, look.display)
    found = []
    for number, (begin, end) in enumerate(look.counted):
        part = to_image_fixations(
            detection.fixations,
            look.views,
            look.display,
            start_ns=begin,
            end_ns=end,
            ignore_first_ms=protocol.ignore_first_ms if number == 0 else 0.0,
            # A look begins on the slice that is the image; others of its stack are looked at for comparison.
            slice_index=look.views[0][1].slice_index,
        )
        found.append(replace(part, start_ms=part.start_ms + (begin - look.started_ns) / 1e6))
    if not found:
        return ImageFixations.empty()
    return ImageFixations(
        np.concatenate([p.xy_norm for p in found]),
        np.concatenate([p.duration_ms for p in found]),
        np.concatenate([p.start_ms for p in found]),
        np.concatenate([p.pupil for p in found]),
    )


def gaze_quality(look: Look) -> TrialQuality:
    """Loss and longest gap of a look, over the stretches that count."""
    parts = []
    for begin, end in look.counted:
        inside = (look.samples.time_ns >= begin) & (look.samples.time_ns < end)
        parts.append((end - begin, measure_quality(look.samples[inside], start_ns=begin, end_ns=end)))
    total = sum(length for length, _ in parts)
    if not total:
        return TrialQuality(loss=1.0)
    return TrialQuality(
        loss=sum(length * quality.loss for length, quality in parts) / total,
        longest_gap_s=max(quality.longest_gap_s for _, quality in parts),
        n_samples=sum(quality.n_samples for _, quality in parts),
        active_s=active_seconds(look.samples, look.counted, behind=look.behind, acted_ns=look.acted_ns),
        rate_hz=max(quality.rate_hz for _, quality in parts),
    )
