"""What turns a heatmap into a refined map, and the registry of those there are."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, no_progress
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from domain.registry import Registry


class Refiner(Protocol):
    """One way to bring a heatmap to the borders seen in the image. May keep what it computed for the last image."""

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
        """The refined map (H, W) float32 in 0-1 of an image (H, W, 3) and its heatmap (H, W)."""
        ...


class RefinerFactory(Protocol):
    """Makes a refiner; one per thread or process, since it may keep a lattice."""

    def __call__(self, *, threads: int = 1) -> Refiner:
        """A new refiner that may use so many threads; 1 while a recording runs, so that the tracker keeps a core."""
        ...


refiners: Registry[RefinerFactory] = Registry("refiner", "processing.refiners")
"""Label sources by name: `LabelParameters.source`."""
