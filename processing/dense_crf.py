"""Dense CRF refinement of a heatmap: mean field with one bilateral term.

Source: Kraehenbuehl and Koltun 2011, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials; the
parameters are those of Zhong et al. 2024 (sxy 80 px, srgb 13 grey levels, compat 1, 10 iterations).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, Progress, no_progress
from processing.compiled import HAS_NUMBA
from processing.mean_field import F32, MeanField, SparseMeanField
from processing.mean_field_fast import FastMeanField

SMALLEST_PROBABILITY = 1e-5
"""Clip of the unary term, as pydensecrf's `unary_from_softmax` does by default."""

Engine = Literal["auto", "fast", "sparse", "torch"]


class DenseCrf:
    """A dense CRF for one image: its lattice is built once and serves every heatmap of that image.

    The published mathematics: u_l = -log clip(p_l), symmetric normalisation n = 1 / sqrt(L 1), messages n L(n Q), Potts
    compatibility.
    """

    def __init__(
        self,
        image_u8: NDArray[np.uint8],
        sxy: float = 80.0,
        srgb: float = 13.0,
        compat: float = 1.0,
        *,
        threads: int = 1,
        engine: Engine = "auto",
    ) -> None:
        """Build the lattice.

        Args:
            image_u8: (H, W, 3) uint8; grey images replicated to three channels.
            sxy: standard deviation of the position term, pixels of this image.
            srgb: standard deviation of the colour term, grey levels.
            compat: weight of the pairwise term.
            threads: for the iterations, on the fast engine; 1 while a recording runs.
            engine: `fast` (numba), `sparse` (NumPy and SciPy), `torch` (on the GPU where there is one), or `auto`: fast
                where numba is installed, else sparse. Their results differ by less than 1e-5.

        Raises:
            ValueError: the image or a parameter is not as it should be.
        """
        if image_u8.ndim != 3 or image_u8.shape[2] != 3 or image_u8.dtype != np.uint8 or image_u8.size == 0:
            raise ValueError(f"an image (H, W, 3) of uint8 is needed, got {image_u8.shape} of {image_u8.dtype}")
        if min(sxy, srgb) <= 0 or threads < 1:
            raise ValueError(f"sxy, srgb and threads must be positive, got {sxy}, {srgb} and {threads}")
        if engine == "fast" and not HAS_NUMBA:
            raise ValueError("the fast engine needs numba, which is not installed")
        self.shape = image_u8.shape[:2]
        field: MeanField | None = None
        if engine == "torch":
            from processing.dense_crf_torch import TorchMeanField

            field = TorchMeanField(image_u8, sxy, srgb, compat)
        elif HAS_NUMBA and engine != "sparse":
            field = FastMeanField.build(image_u8, sxy, srgb, compat, threads)
        self._field: MeanField = field if field is not None else SparseMeanField(image_u8, sxy, srgb, compat)

    @property
    def n_vertices(self) -> int:
        """Number of occupied lattice points."""
        return self._field.n_vertices

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

        def tick(done: int) -> None:
            if cancel is not None:
                cancel.raise_if_cancelled()
            on_progress(Progress(done, iterations, "dense CRF"))

        refined = self._field.infer(unary_logit(heatmap, self.shape), iterations, tick)
        on_progress(Progress(iterations, iterations, "dense CRF"))
        return refined.reshape(self.shape)


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
