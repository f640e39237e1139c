"""No refinement: the heatmap as it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, no_progress
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from processing.refiner import refiners


@refiners.register("none")
class NoRefiner:
    """Gives the heatmap back. Right where the borders of the target cannot be seen in the colours (prostate MRI)."""

    def __init__(self, *, threads: int = 1) -> None:
        """Nothing is kept and no thread is needed."""

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
        """The heatmap."""
        return heatmap
