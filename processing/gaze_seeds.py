"""Seeds for region-growing refiners: where the gaze says target, where it says background, on a smaller grid."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from processing.heatmap import counted

SURE_TARGET = 0.8
SURE_BACKGROUND = 0.05
SEED_RADIUS_SHARE = 0.01
"""Radius of the disc around a fixation that counts as target, as a share of the image's longer side."""


@dataclass(frozen=True)
class GazeSeeds:
    """Image (h, w, 3), heatmap (h, w) and seeds (h, w) on a grid of at most so many pixels."""

    image_u8: NDArray[np.uint8]
    heatmap: NDArray[np.float32]
    is_target: NDArray[np.bool_]
    is_background: NDArray[np.bool_]
    full_size: tuple[int, int]

    @classmethod
    def place(
        cls,
        image_u8: NDArray[np.uint8],
        heatmap: NDArray[np.float32],
        fixations: ImageFixations,
        parameters: LabelParameters,
        *,
        longest_px: int,
    ) -> GazeSeeds:
        """Target: the heatmap's peak, and around each fixation in its lowest level. Background: hardly any heat."""
        height, width = heatmap.shape
        scale = min(1.0, longest_px / max(height, width))
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        image = cv2.resize(image_u8, size, interpolation=cv2.INTER_AREA)
        heat = np.asarray(cv2.resize(heatmap, size, interpolation=cv2.INTER_AREA), np.float32)
        discs = np.zeros(heat.shape, np.uint8)
        radius = max(1, round(SEED_RADIUS_SHARE * max(size)))
        for x, y in counted(fixations, parameters)[0]:
            cv2.circle(discs, (min(int(x * size[0]), size[0] - 1), min(int(y * size[1]), size[1] - 1)), radius, 1, -1)
        is_target = (heat >= min(SURE_TARGET, float(heat.max()))) | ((discs > 0) & (heat >= min(parameters.thresholds)))
        is_background = (heat < max(SURE_BACKGROUND, float(np.percentile(heat, 5)))) & ~is_target
        return cls(np.asarray(image, np.uint8), heat, is_target, is_background, (width, height))

    def enlarged(self, refined: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the grid at the image's own size."""
        full = cv2.resize(np.asarray(refined, np.float32), self.full_size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.clip(full, 0.0, 1.0), np.float32)
