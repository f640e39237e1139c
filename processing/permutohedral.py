"""The permutohedral lattice on which a dense CRF filters, in NumPy and SciPy alone.

Source: Adams, Baek, Davis 2010, Fast High-Dimensional Filtering Using the Permutohedral Lattice; Kraehenbuehl and
Koltun 2011 for its use as the message filter of a dense CRF.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

D = 5
"""Dimensions of a bilateral feature: x, y, red, green, blue."""

N_VERTICES = D + 1
"""Corners of a simplex of the lattice."""

SLICE_SCALE = np.float32(1.0 / (1.0 + 2.0**-D))
"""Normalisation of splat, blur and slice together (Adams et al. 2010)."""

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


def feature_scales() -> F32:
    """Factors (5,) that give the blur of the lattice a standard deviation of one feature unit on every axis."""
    i = np.arange(D, dtype=np.float64)
    return np.asarray(np.sqrt(2.0 / 3.0) * (D + 1) / np.sqrt((i + 1) * (i + 2)), np.float32)


def bilateral_features(image_u8: NDArray[np.uint8], sxy: float, srgb: float) -> F32:
    """Features (5, N) of an image (H, W, 3): position over `sxy` and colour over `srgb`, float32."""
    height, width = image_u8.shape[:2]
    features = np.empty((D, height, width), np.float32)
    features[0] = np.arange(width, dtype=np.float32)[None, :] / np.float32(sxy)
    features[1] = np.arange(height, dtype=np.float32)[:, None] / np.float32(sxy)
    features[2:] = np.moveaxis(image_u8, 2, 0).astype(np.float32) / np.float32(srgb)
    return features.reshape(D, -1)


@dataclass(frozen=True)
class SparseLattice:
    """The lattice of one image as sparse matrices.

    slice_matrix: (N, M) barycentric weights, six per pixel. blur_axes: six (2, M) tables of each vertex's two
    neighbours along an axis, M where there is none.
    """

    slice_matrix: sparse.csr_array
    splat_matrix: sparse.csr_array
    neighbours: NDArray[np.int32]

    @property
    def n_vertices(self) -> int:
        """Number of occupied lattice points."""
        return int(self.slice_matrix.shape[1])

    def filter(self, values: F32) -> F32:
        """Gaussian filter of one channel (N,) in feature space: splat, blur along the six axes, slice."""
        vertices = np.zeros(self.n_vertices + 1, np.float32)
        vertices[:-1] = self.splat_matrix @ values
        half = np.float32(0.5)
        for first, second in self.neighbours:
            vertices[:-1] += half * (vertices[first] + vertices[second])
        return np.asarray((self.slice_matrix @ vertices[:-1]) * SLICE_SCALE, np.float32)


def build_sparse_lattice(features: F32) -> SparseLattice:
    """The lattice of N feature vectors (5, N).

    Every step is in float32 and in the order of the published construction, so that each pixel falls into the same
    simplex as with pydensecrf: ties are common in grey images.
    """
    n = features.shape[1]
    elevated = _elevated(features)
    remainder, rank = _enclosing_simplex(elevated)
    weights = _barycentric(elevated, remainder, rank)
    simplex_of_pixel, first_pixel = _unique_simplices(remainder, rank)
    keys = _vertex_keys(remainder[:, first_pixel], rank[:, first_pixel])
    low = keys.min(axis=(0, 1)) - 2 * N_VERTICES
    span = keys.max(axis=(0, 1)) + 2 * N_VERTICES - low + 1
    packed, vertex_of_corner = np.unique(_packed(keys, low, span), return_inverse=True)
    corners = vertex_of_corner.reshape(keys.shape[:2]).astype(np.int32)
    slice_matrix = sparse.csr_array(
        (
            np.ascontiguousarray(weights.T).ravel(),
            corners[:, simplex_of_pixel].T.ravel(),
            np.arange(0, N_VERTICES * n + 1, N_VERTICES, dtype=np.int32),
        ),
        shape=(n, len(packed)),
    )
    unpacked = _unpacked(packed, low, span)
    neighbours = np.empty((N_VERTICES, 2, len(packed)), np.int32)
    for axis in range(N_VERTICES):
        step = np.ones(D, np.int64)
        if axis < D:
            step[axis] = -D
        for side, sign in enumerate((-1, 1)):
            neighbours[axis, side] = _find(packed, _packed(unpacked + sign * step, low, span))
    return SparseLattice(slice_matrix, sparse.csr_array(slice_matrix.T.tocsr()), neighbours)


def _elevated(features: F32) -> F32:
    """Positions (6, N) on the hyperplane of the lattice, whose coordinates sum to zero."""
    scaled = features * feature_scales()[:, None]
    elevated = np.empty((N_VERTICES, features.shape[1]), np.float32)
    running = np.zeros(features.shape[1], np.float32)
    for j in range(D, 0, -1):
        elevated[j] = running - np.float32(j) * scaled[j - 1]
        running = running + scaled[j - 1]
    elevated[0] = running
    return elevated


def _enclosing_simplex(elevated: F32) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The nearest lattice point of remainder zero (6, N), and the order (6, N) in which the differences to it fall."""
    nearest = np.rint(elevated * np.float32(1.0 / N_VERTICES))
    total = nearest.sum(axis=0).astype(np.int32)
    remainder = nearest * np.float32(N_VERTICES)
    difference = elevated - remainder
    rank = np.zeros(elevated.shape, np.int32)
    for i in range(N_VERTICES):
        for j in range(i + 1, N_VERTICES):
            less = difference[i] < difference[j]
            rank[i] += less
            rank[j] += ~less
    rank += total
    below, above = rank < 0, rank > D
    point = remainder.astype(np.int32) + N_VERTICES * (below.astype(np.int32) - above)
    return point, rank + N_VERTICES * (below.astype(np.int32) - above)


def _barycentric(elevated: F32, remainder: NDArray[np.int32], rank: NDArray[np.int32]) -> F32:
    """Weights (6, N) of the corners of each pixel's simplex."""
    n = elevated.shape[1]
    pixels = np.arange(n)
    weights = np.zeros((N_VERTICES + 1, n), np.float32)
    for i in range(N_VERTICES):
        share = (elevated[i] - remainder[i].astype(np.float32)) * np.float32(1.0 / N_VERTICES)
        weights[D - rank[i], pixels] += share
        weights[D + 1 - rank[i], pixels] -= share
    weights[0] += np.float32(1.0) + weights[N_VERTICES]
    return weights[:N_VERTICES]


def _unique_simplices(remainder: NDArray[np.int32], rank: NDArray[np.int32]) -> tuple[I64, I64]:
    """Index of each pixel's simplex, and one pixel of each simplex."""
    cells = np.concatenate([remainder[:D] // N_VERTICES, rank[:D]]).astype(np.int64)
    low = cells.min(axis=1)
    span = cells.max(axis=1) - low + 1
    if np.prod(span.astype(np.float64)) < 2.0**62:
        _, first, inverse = np.unique(_packed(cells.T, low, span), return_index=True, return_inverse=True)
    else:
        _, first, inverse = np.unique(cells, axis=1, return_index=True, return_inverse=True)
    return np.asarray(inverse, np.int64).ravel(), np.asarray(first, np.int64)


def _vertex_keys(remainder: NDArray[np.int32], rank: NDArray[np.int32]) -> I64:
    """The first five coordinates (6, S, 5) of the corners of S simplices."""
    corner = np.arange(N_VERTICES)[:, None, None]
    wraps = rank[None, :D] > D - corner
    keys = remainder[None, :D] + corner - N_VERTICES * wraps
    return np.ascontiguousarray(np.moveaxis(keys, 1, 2), np.int64)


def _packed(cells: I64, low: I64, span: I64) -> I64:
    """Rows of integers (..., k) as one integer each, in mixed radix."""
    out = np.zeros(cells.shape[:-1], np.int64)
    for k in range(cells.shape[-1]):
        out = out * span[k] + (cells[..., k] - low[k])
    return out


def _unpacked(packed: I64, low: I64, span: I64) -> I64:
    out = np.empty((*packed.shape, len(span)), np.int64)
    rest = packed
    for k in range(len(span) - 1, -1, -1):
        rest, out[..., k] = np.divmod(rest, span[k])
    return out + low


def _find(keys: I64, wanted: I64) -> NDArray[np.int32]:
    """Index of each wanted key in the sorted keys; their number where it is not among them."""
    place = np.searchsorted(keys, wanted)
    place[place == len(keys)] = 0
    return np.where(keys[place] == wanted, place, len(keys)).astype(np.int32)
