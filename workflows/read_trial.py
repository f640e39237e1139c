"""From the gaze samples of one trial to its fixations, quality and maps: what a clinician sees after each image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.fixations import ImageFixations
from domain.gaze import GazeSamples
from domain.labels import LabelMaps, LabelParameters
from domain.markers import ViewLog
from domain.study import Protocol
from domain.trial import TrialQuality
from processing.detector import detect
from processing.image_fixations import to_image_fixations
from processing.labels import make_label_maps

DETECTOR = "ivt"
RUN_UP_NS = 1_000_000_000
"""Samples before the image's onset that the detector sees too, so that a fixation in flight is known as such."""


@dataclass(frozen=True)
class TrialReading:
    """What the gaze of one trial says. `detector_digest` names the detector's parameters."""

    fixations: ImageFixations
    quality: TrialQuality
    detector_digest: str


def read_trial(
    samples: GazeSamples,
    views: ViewLog,
    display: Display,
    *,
    start_ns: int,
    end_ns: int,
    protocol: Protocol,
    detector: str = DETECTOR,
    slice_index: int | None = None,
) -> TrialReading:
    """Fixations on the image and the recording's quality.

    Args:
        samples: the sitting's samples; those from a second before the trial to its end are used.
        views: where the image lay, on the samples' clock.
        display: the screen the gaze was recorded on.
        start_ns: the image's onset.
        end_ns: the image's offset.
        protocol: limits for loss and gaps, and how long after the onset nothing counts.
        detector: name of a registered detector.
        slice_index: only what was seen on this slice of a stack.
    """
    near = samples[(samples.time_ns >= start_ns - RUN_UP_NS) & (samples.time_ns < end_ns)]
    found = detect(detector, near, display)
    fixations = to_image_fixations(
        found.fixations,
        list(zip(views.time_ns.tolist(), views.views, strict=True)),
        display,
        start_ns=start_ns,
        end_ns=end_ns,
        ignore_first_ms=protocol.ignore_first_ms,
        slice_index=slice_index,
    )
    quality = measure_quality(near[near.time_ns >= start_ns], start_ns=start_ns, end_ns=end_ns)
    return TrialReading(fixations, with_warnings(quality, protocol), found.parameters_digest)


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


def counts(quality: TrialQuality, protocol: Protocol) -> bool:
    """Whether the trial is good enough to count; otherwise it should be repeated."""
    return quality.loss < protocol.stop_loss and quality.longest_gap_s < protocol.stop_gap_s


def maps_of(
    image_u8: NDArray[np.uint8], fixations: ImageFixations, parameters: LabelParameters, display: Display, zoom: float
) -> LabelMaps:
    """The maps of one trial; `zoom` is physical screen pixels per image pixel, for sigma in degrees."""
    across, down = display.px_per_deg()
    return make_label_maps(image_u8, fixations, parameters, image_px_per_deg=(across / zoom, down / zoom))
