"""Dense CRF refinement of a heatmap: mean field with one bilateral term, two labels kept as one channel.

Source: Kraehenbuehl and Koltun 2011, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials; the
parameters are those of Zhong et al. 2024 (sxy 80 px, srgb 13 grey levels, compat 1, 10 iterations).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, Progress, no_progress
from processing.permutohedral import F32, bilateral_features, build_sparse_lattice

SMALLEST_PROBABILITY = 1e-5
"""Clip of the unary term, as pydensecrf's `unary_from_softmax` does by default."""


class DenseCrf:
    """A dense CRF for one image: its lattice is built once and serves every heatmap of that image.

    The published mathematics: u_l = -log clip(p_l), symmetric normalisation n = 1 / sqrt(L 1), messages n L(n Q), Potts
    compatibility. With two labels Q0 = 1 - Q1, so one channel is enough:
    logit = u_0 - u_1 + compat (2 n L(n q) - n L n).
    """

    def __init__(self, image_u8: NDArray[np.uint8], sxy: float = 80.0, srgb: float = 13.0, compat: float = 1.0) -> None:
        """Build the lattice.

        Args:
            image_u8: (H, W, 3) uint8; grey images replicated to three channels.
            sxy: standard deviation of the position term, pixels of this image.
            srgb: standard deviation of the colour term, grey levels.
            compat: weight of the pairwise term.
        """
        if image_u8.ndim != 3 or image_u8.shape[2] != 3 or image_u8.dtype != np.uint8:
            raise ValueError(f"an image (H, W, 3) of uint8 is needed, got {image_u8.shape} of {image_u8.dtype}")
        if min(sxy, srgb) <= 0:
            raise ValueError(f"sxy and srgb must be positive, got {sxy} and {srgb}")
        self.shape = image_u8.shape[:2]
        self._compat = np.float32(compat)
        self._lattice = build_sparse_lattice(bilateral_features(image_u8, sxy, srgb))
        ones = np.ones(image_u8.shape[0] * image_u8.shape[1], np.float32)
        self._norm: F32 = (1.0 / np.sqrt(self._lattice.filter(ones) + np.float32(1e-20))).astype(np.float32)
        self._constant: F32 = self._norm * self._lattice.filter(self._norm)

    def refine(
        self,
        heatmap: NDArray[np.float32],
        iterations: int = 10,
        *,
        on_progress: OnProgress = no_progress,
        cancel: CancelToken | None = None,
    ) -> NDArray[np.float32]:
        """Foreground probability (H, W) after so many mean-field iterations.

        Args:
            heatmap: (H, W) foreground probability, 0-1.
            iterations: mean-field steps; 0 gives the clipped heatmap.
            on_progress: hears of each iteration.
            cancel: looked at before each iteration.

        Raises:
            ValueError: the heatmap has another shape than the image, or values that are not finite.
            Cancelled: the user stopped it.
        """
        unary = unary_logit(heatmap, self.shape)
        logit = unary
        for i in range(iterations):
            if cancel is not None:
                cancel.raise_if_cancelled()
            message = self._norm * self._lattice.filter(self._norm * _sigmoid(logit))
            logit = unary + self._compat * (np.float32(2.0) * message - self._constant)
            on_progress(Progress(i + 1, iterations, "dense CRF"))
        return _sigmoid(logit).reshape(self.shape)


def unary_logit(heatmap: NDArray[np.float32], shape: tuple[int, ...]) -> F32:
    """The unary term as one logit per pixel, u_0 - u_1 (N,), probabilities clipped as published."""
    if heatmap.shape != shape:
        raise ValueError(f"the heatmap has shape {heatmap.shape}, the image {shape}")
    if not np.all(np.isfinite(heatmap)):
        raise ValueError("the heatmap has values that are not finite")
    p = heatmap.astype(np.float32).ravel()
    foreground = np.log(np.clip(p, SMALLEST_PROBABILITY, 1.0))
    background = np.log(np.clip(np.float32(1.0) - p, SMALLEST_PROBABILITY, 1.0))
    return np.asarray(foreground - background, np.float32)


def _sigmoid(logit: F32) -> F32:
    return np.asarray(np.float32(1.0) / (np.float32(1.0) + np.exp(-logit)), np.float32)
