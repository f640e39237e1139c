"""GrabCut, seeded by the gaze.

Source: Rother, Kolmogorov, Blake 2004, GrabCut; implementation of OpenCV.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from processing.gaze_seeds import GazeSeeds
from processing.refiner import refiners

LONGEST_PX = 320
ITERATIONS = 5


@refiners.register("grabcut")
class GrabCutRefiner:
    """One cut per level: colour models of target and background, begun from the level's part of the heatmap."""

    def __init__(self, *, threads: int = 1) -> None:
        """Nothing is kept; OpenCV's GrabCut uses one thread."""

    def refine(
        self,
        image_u8: NDArray[np.uint8],
        heatmap: NDArray[np.float32],
        fixations: ImageFixations,
        parameters: LabelParameters,
        *,
        on_progress: OnProgress = no_progress,
        cancel: CancelToken | None = None,
    ) -> NDArray[np.float32]:
        """A map whose level at each threshold is that threshold's cut; inside a level it follows the heatmap."""
        if not heatmap.any():
            return np.zeros_like(heatmap)
        seeds = GazeSeeds.place(image_u8, heatmap, fixations, parameters, longest_px=LONGEST_PX)
        bounds = [*sorted(parameters.thresholds), 1.0]
        refined = seeds.heatmap * np.float32(0.5 * bounds[0])
        inside = np.ones(refined.shape, np.bool_)
        for i, threshold in enumerate(bounds[:-1]):
            if cancel is not None:
                cancel.raise_if_cancelled()
            # A level lies within the one below it, as levels of one map do.
            inside &= _cut(seeds, threshold)
            low, high = threshold, bounds[i + 1]
            refined[inside] = np.float32(low) + seeds.heatmap[inside] * np.float32(high - low)
            on_progress(Progress(i + 1, len(bounds) - 1, "GrabCut"))
        return seeds.enlarged(refined)


def _cut(seeds: GazeSeeds, threshold: float) -> NDArray[np.bool_]:
    mask = np.where(seeds.heatmap >= threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[seeds.is_background] = cv2.GC_BGD
    mask[seeds.is_target] = cv2.GC_FGD
    if not np.isin(mask, (cv2.GC_BGD, cv2.GC_PR_BGD)).any():
        return np.ones(mask.shape, np.bool_)
    cv2.setRNGSeed(0)  # its k-means draws random centres: the same label must come out every time
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(seeds.image_u8, mask, (0, 0, 1, 1), *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.asarray(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)), np.bool_)
