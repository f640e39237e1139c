"""Dense CRF refinement, as published."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, no_progress
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from processing.dense_crf import DenseCrf
from processing.refiner import refiners


@refiners.register("crf")
class CrfRefiner:
    """The dense CRF of the published labels; keeps the lattice of the last image, so that sliders are quick."""

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._key: tuple[object, ...] = ()
        self._crf: DenseCrf | None = None

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
        """Foreground probability; all zeros stay all zeros, since without gaze there is nothing to refine."""
        if not heatmap.any():
            return np.zeros_like(heatmap)
        crf = self._crf_for(image_u8, parameters)
        return crf.refine(heatmap, parameters.crf_iterations, on_progress=on_progress, cancel=cancel)

    def _crf_for(self, image_u8: NDArray[np.uint8], parameters: LabelParameters) -> DenseCrf:
        pixels = np.ascontiguousarray(image_u8)
        settings = (parameters.crf_sxy, parameters.crf_srgb, parameters.crf_compat)
        key = (zlib.crc32(pixels.data), zlib.adler32(pixels.data), pixels.shape, settings)
        if self._crf is None or key != self._key:
            self._crf, self._key = DenseCrf(pixels, *settings, threads=self._threads), key
        return self._crf
