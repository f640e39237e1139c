"""Random walker, seeded by the gaze.

Source: Grady 2006, Random Walks for Image Segmentation; implementation of scikit-image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from processing.gaze_seeds import GazeSeeds
from processing.refiner import refiners

LONGEST_PX = 192
BETA = 130.0
"""How much a step in colour hinders the walker; scikit-image's own default."""


@refiners.register("random_walker")
class RandomWalkerRefiner:
    """Probability that a walker from a pixel meets the target's seeds before the background's."""

    def __init__(self, *, threads: int = 1) -> None:
        """Nothing is kept."""

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
        """Probability of target (H, W)."""
        if not heatmap.any():
            return np.zeros_like(heatmap)
        if cancel is not None:
            cancel.raise_if_cancelled()
        seeds = GazeSeeds.place(image_u8, heatmap, fixations, parameters, longest_px=LONGEST_PX)
        if not seeds.is_background.any() or np.ptp(seeds.image_u8) == 0:
            return heatmap
        labels = np.zeros(seeds.heatmap.shape, np.int32)
        labels[seeds.is_background] = 2
        labels[seeds.is_target] = 1
        if (labels > 0).all():
            return seeds.enlarged(seeds.is_target.astype(np.float32))
        # Loaded here: it takes a second, which the workers of other refiners need not wait.
        from skimage.segmentation import random_walker

        chances = random_walker(
            seeds.image_u8.astype(np.float64) / 255.0,
            labels,
            beta=BETA,
            mode="cg_j",
            tol=1e-3,
            channel_axis=2,
            return_full_prob=True,
        )
        on_progress(Progress(1, 1, "random walker"))
        return seeds.enlarged(np.asarray(chances[0], np.float32))
