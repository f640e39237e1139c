"""Mean-field inference of a dense CRF with two labels, in NumPy and SciPy alone.

With two labels Q0 = 1 - Q1, so one channel is enough: logit = u_0 - u_1 + compat (2 n L(n q) - n L n), where L is the
lattice's filter and n = 1 / sqrt(L 1) its symmetric normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from processing.permutohedral import bilateral_features, build_sparse_lattice

F32 = NDArray[np.float32]
Tick = Callable[[int], None]


class MeanField(Protocol):
    """Mean field on the lattice of one image."""

    @property
    def n_vertices(self) -> int:
        """Number of occupied lattice points."""
        ...

    def infer(self, unary: F32, iterations: int, tick: Tick) -> F32:
        """Foreground probability (N,) from the unary logit (N,); `tick` is called before each iteration."""
        ...


class SparseMeanField:
    """Mean field with sparse matrices."""

    def __init__(self, image_u8: NDArray[np.uint8], sxy: float, srgb: float, compat: float) -> None:
        self._lattice = build_sparse_lattice(bilateral_features(image_u8, sxy, srgb))
        self._compat = np.float32(compat)
        ones = np.ones(image_u8.shape[0] * image_u8.shape[1], np.float32)
        self._norm: F32 = (1.0 / np.sqrt(self._lattice.filter(ones) + np.float32(1e-20))).astype(np.float32)
        self._constant: F32 = self._norm * self._lattice.filter(self._norm)

    @property
    def n_vertices(self) -> int:
        """Number of occupied lattice points."""
        return self._lattice.n_vertices

    def infer(self, unary: F32, iterations: int, tick: Tick) -> F32:
        """Foreground probability (N,) from the unary logit (N,); `tick` is called before each iteration."""
        logit = unary
        for i in range(iterations):
            tick(i)
            message = self._norm * self._lattice.filter(self._norm * _sigmoid(logit))
            logit = unary + self._compat * (np.float32(2.0) * message - self._constant)
        return _sigmoid(logit)


def _sigmoid(logit: F32) -> F32:
    return np.asarray(np.float32(1.0) / (np.float32(1.0) + np.exp(-logit)), np.float32)
