"""Raw gaze samples on an image, as an alternative to its fixations: each counts for the time it stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.fixations import ImageFixations
from domain.gaze import GazeSamples
from domain.labels import LabelParameters
from processing.event import EventKind
from processing.heatmap import fixation_heatmap
from processing.image_fixations import ViewLog

LONGEST_SAMPLE_MS = 50.0
"""A sample stands for no more time than this, also where the next one is late."""


def to_image_samples(
    samples: GazeSamples,
    labels: NDArray[np.uint8],
    views: ViewLog,
    display: Display,
    *,
    start_ns: int,
    end_ns: int,
    ignore_first_ms: float = 0.0,
    slice_index: int | None = None,
) -> ImageFixations:
    """The samples of one trial in the form of fixations, one row per sample that is seen and not in a saccade.

    Samples in saccades are left out: the eye takes in next to nothing then, and they smear the map.

    Args:
        samples: of the run that the labels belong to; the mean of the eyes that are valid counts.
        labels: (n,) values of `EventKind`, as `Detection.labels` gives them.
        views: (time_ns, ImageView) in time order.
        display: the screen the gaze was recorded on.
        start_ns: when the trial began.
        end_ns: when the trial ended.
        ignore_first_ms: how long after the start samples do not count yet.
        slice_index: keep only what was seen on this slice of a stack; None keeps all.

    Raises:
        ValueError: there are not as many labels as samples.
    """
    if len(labels) != len(samples):
        raise ValueError(f"{len(labels)} labels for {len(samples)} samples")
    if len(samples) == 0 or not views:
        return ImageFixations.empty()
    seen = np.where(samples.gaze_valid[:, :, None], samples.gaze_norm, np.nan)
    is_seen: NDArray[np.bool_] = np.asarray(np.isfinite(seen).all(axis=2), np.bool_)
    n_eyes = is_seen.sum(axis=1)
    sum_norm = np.where(is_seen[:, :, None], seen, 0.0).sum(axis=1)
    earliest = start_ns + round(ignore_first_ms * 1e6)
    is_in_time = (samples.time_ns >= earliest) & (samples.time_ns < end_ns)
    keep: NDArray[np.bool_] = np.asarray(is_in_time & (n_eyes > 0) & (labels != EventKind.SACCADE), np.bool_)
    view_at = np.asarray(np.searchsorted(np.array([time for time, _ in views]), samples.time_ns, "right") - 1, np.int64)
    xy = np.full((len(samples), 2), np.nan)
    for number in np.unique(view_at[np.asarray(keep & (view_at >= 0))]):
        view = views[int(number)][1]
        rows = keep & (view_at == number)
        if slice_index is None or view.slice_index == slice_index:
            gaze = sum_norm[rows] / n_eyes[rows, None]
            xy[rows] = view.image_xy_from_norm(gaze, display) / np.asarray(view.image_size)
    keep &= np.isfinite(xy).all(axis=1)
    lasts_ns = np.diff(samples.time_ns, append=samples.time_ns[-1] + _interval_ns(samples.time_ns))
    duration_ms = np.clip(np.asarray(lasts_ns, np.float64) / 1e6, 0.0, LONGEST_SAMPLE_MS)
    pupil = samples.pupil_mm[keep]
    known = np.isfinite(pupil).sum(axis=1)
    mean_pupil = np.where(known > 0, np.nansum(pupil, axis=1) / np.maximum(known, 1), np.nan)
    start_ms = (samples.time_ns[keep] - start_ns) / 1e6
    return ImageFixations(xy[keep], duration_ms[keep], np.asarray(start_ms, np.float64), mean_pupil)


def sample_heatmap(
    samples_on_image: ImageFixations,
    size: tuple[int, int],
    parameters: LabelParameters,
    *,
    image_px_per_deg: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """Heatmap of samples: as of fixations, but none is too short."""
    every = replace(parameters, min_fixation_ms=0.0)
    return fixation_heatmap(samples_on_image, size, every, image_px_per_deg=image_px_per_deg)


def _interval_ns(time_ns: NDArray[np.int64]) -> int:
    return int(np.median(np.diff(time_ns))) if len(time_ns) > 1 else 0
