"""From the fixations of a trial to its maps and levels, with what the annotator should know about them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from domain.events import CancelToken, OnProgress, no_progress
from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from processing.heatmap import fixation_heatmap, sigma_as_share, single_fixation_share
from processing.refiner import Refiner, refiners

SECOND_PEAK, SMALL_TARGET = "A second peak", "hardly more than one fixation alone"
"""What the two warnings can be told by."""

SMALLEST_PEAK = 0.1
WEAK_PEAK = 2 / 3
"""A second peak is told of from this share of the lowest level on: below it lie glances on the way to the target."""
"""Peaks of the heatmap below this are glances on the way, not targets."""

BLOB_MARGIN = 1.5
"""A level up to this many times the area of a single fixation's blob says little about the target's size."""

PEAK_MAP_PX = 128


def make_label_maps(
    image_u8: NDArray[np.uint8],
    fixations: ImageFixations,
    parameters: LabelParameters,
    *,
    image_px_per_deg: tuple[float, float] | None = None,
    refiner: Refiner | None = None,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> LabelMaps:
    """Heatmap, refined map and warnings of one trial.

    Args:
        image_u8: (H, W, 3), as it was shown.
        fixations: on this image.
        parameters: how; stored with the result.
        image_px_per_deg: image pixels in one degree of visual angle; needed in degrees mode.
        refiner: one to use again, so that it can keep what it knows of the image; by default a new one.
        on_progress: hears of the refiner's steps.
        cancel: stops between steps.

    Raises:
        UserFacingError: an unknown source, or degrees mode without the image's size on the screen.
        Cancelled: the user stopped it.
    """
    height, width = image_u8.shape[:2]
    heatmap = fixation_heatmap(fixations, (width, height), parameters, image_px_per_deg=image_px_per_deg)
    engine = refiner if refiner is not None else refiners.get(parameters.source)()
    refined = engine.refine(image_u8, heatmap, fixations, parameters, on_progress=on_progress, cancel=cancel)
    warnings = label_warnings(heatmap, parameters, image_px_per_deg=image_px_per_deg)
    return LabelMaps(heatmap, np.asarray(refined, np.float32), parameters, warnings)


def no_target_maps(size: tuple[int, int], parameters: LabelParameters) -> LabelMaps:
    """The maps of an image (width, height) in which the annotator said there is no target: zero everywhere."""
    empty = np.zeros((size[1], size[0]), np.float32)
    return LabelMaps(empty, empty.copy(), parameters)


def merge_label_maps(maps: list[LabelMaps]) -> LabelMaps:
    """One label from several annotators of one image: the mean of their maps, brought back to 0-1.

    The maps of each annotator stay what they are; annotators who looked at nothing do not count.

    Raises:
        ValueError: no maps, or maps of different sizes.
    """
    if not maps:
        raise ValueError("there are no maps to merge")
    if len({m.heatmap.shape for m in maps}) > 1:
        raise ValueError(f"maps of different sizes cannot be merged: {sorted({m.heatmap.shape for m in maps})}")
    seen = [m for m in maps if m.heatmap.any()]
    if not seen:
        return maps[0]
    heatmap = _stretched(np.mean([m.heatmap for m in seen], axis=0, dtype=np.float64))
    refined = np.asarray(np.mean([m.refined for m in seen], axis=0, dtype=np.float64), np.float32)
    if seen[0].parameters.source == "none":
        refined = heatmap
    warnings = tuple(dict.fromkeys(warning for m in seen for warning in m.warnings))
    return LabelMaps(heatmap, refined, seen[0].parameters, warnings)


def label_warnings(
    heatmap: NDArray[np.float32],
    parameters: LabelParameters,
    *,
    image_px_per_deg: tuple[float, float] | None = None,
) -> tuple[str, ...]:
    """Sentences about what this heatmap cannot express."""
    if not heatmap.any():
        return ("No fixation on the image: the label is empty.",)
    height, width = heatmap.shape
    warnings = []
    lowest = min(parameters.thresholds)
    for x, y, value in second_peaks(heatmap):
        if WEAK_PEAK * lowest <= value < lowest:
            warnings.append(
                f"{SECOND_PEAK} of {value:.2f} at ({x}, {y}) lies below the lowest level {lowest:.2f}: "
                "what was looked at there is in no level. Annotate it as a target of its own."
            )
    share = sigma_as_share(parameters, (width, height), image_px_per_deg)
    for threshold in parameters.thresholds:
        floor = single_fixation_share(threshold, share)
        area = float(np.mean(heatmap >= threshold))
        if area < BLOB_MARGIN * floor:
            warnings.append(
                f"Level {threshold:.2f} covers {area:.1%} of the image, {SMALL_TARGET} "
                f"({floor:.1%}): the target may be smaller than the level. Choose a smaller sigma."
            )
    return tuple(warnings)


def second_peaks(heatmap: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Local maxima (x, y, value) of a heatmap except the highest, highest first, from `SMALLEST_PEAK` up."""
    height, width = heatmap.shape
    scale = min(1.0, PEAK_MAP_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(heatmap, size, interpolation=cv2.INTER_AREA)
    is_peak = (small == ndimage.maximum_filter(small, size=3)) & (small >= SMALLEST_PEAK)
    labels, n_peaks = ndimage.label(is_peak, structure=np.ones((3, 3), int))
    peaks = []
    for i in range(1, n_peaks + 1):
        rows, columns = np.nonzero(labels == i)
        x = round((columns.mean() + 0.5) / size[0] * width - 0.5)
        y = round((rows.mean() + 0.5) / size[1] * height - 0.5)
        peaks.append((x, y, float(small[rows[0], columns[0]])))
    return sorted(peaks, key=lambda peak: -peak[2])[1:]


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float32]:
    low, high = values.min(), values.max()
    return ((values - low) / (high - low)).astype(np.float32) if high > low else np.zeros(values.shape, np.float32)
