"""The dense CRF in torch, for a GPU: the numbers of the other engines, to 1e-5 where sums run in another order.

The one file of this room that imports torch; `DenseCrf(engine="torch")` imports it when it is asked for.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from processing.mean_field import F32, Tick
from processing.permutohedral import SLICE_SCALE, D, feature_scales

N_CORNERS = D + 1
BITS = 9
"""Bits per lattice coordinate (in steps of six) in a packed key: five of them and five ranks of 3 bits fit 63."""

LIMIT = 2 ** (BITS - 1) - 4


class TorchMeanField:
    """Mean field with one channel on gathered and scattered vertices."""

    def __init__(self, image_u8: NDArray[np.uint8], sxy: float, srgb: float, compat: float, device: str = "") -> None:
        """Build the lattice on a device: the first GPU where there is one, unless another is named.

        Raises:
            ValueError: the lattice is too large for the packed keys (very small sxy or srgb).
        """
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        with torch.no_grad():
            elevated = _elevate(image_u8, sxy, srgb, self._device)
            place, rank, self._weights = _enclose(elevated)
            corners, keys = _corners(place, rank)
            self._corners = corners
            self._neighbours = _neighbours(keys)
            self._n_vertices = len(keys)
            ones = torch.ones(elevated.shape[1], device=self._device)
            self._norm = torch.rsqrt(self._filter(ones) + 1e-20)
            self._constant = compat * self._norm * self._filter(self._norm)
            self._gain = 2.0 * compat * self._norm

    @property
    def n_vertices(self) -> int:
        """Number of occupied lattice points."""
        return self._n_vertices

    def infer(self, unary: F32, iterations: int, tick: Tick) -> F32:
        """Foreground probability (N,) from the unary logit (N,); `tick` is called before each iteration."""
        with torch.no_grad():
            constant = torch.from_numpy(unary).to(self._device)
            probability = torch.sigmoid(constant)
            constant = constant - self._constant
            for i in range(iterations):
                tick(i)
                probability = torch.sigmoid(constant + self._gain * self._filter(self._norm * probability))
            result: F32 = probability.cpu().numpy()
        return result

    def _filter(self, values: Tensor) -> Tensor:
        """Gaussian filter (N,) in feature space: splat, blur along the six axes, slice."""
        vertices = torch.zeros(self._n_vertices + 1, device=self._device)
        vertices.index_add_(0, self._corners.reshape(-1), (self._weights * values).reshape(-1))
        for pair in self._neighbours:
            vertices[:-1] += 0.5 * (vertices[pair[0]] + vertices[pair[1]])
        return (vertices[self._corners] * self._weights).sum(dim=0) * float(SLICE_SCALE)


def _elevate(image_u8: NDArray[np.uint8], sxy: float, srgb: float, device: torch.device) -> Tensor:
    """Positions (6, N) on the hyperplane of the lattice; float32 in the published order."""
    height, width = image_u8.shape[:2]
    colours = torch.from_numpy(np.ascontiguousarray(image_u8)).to(device).permute(2, 0, 1).float()
    features = torch.empty((D, height, width), device=device)
    features[0] = torch.arange(width, device=device).float()[None] / float(np.float32(sxy))
    features[1] = torch.arange(height, device=device).float()[:, None] / float(np.float32(sxy))
    features[2:] = colours / float(np.float32(srgb))
    scaled = features.reshape(D, -1) * torch.from_numpy(feature_scales()).to(device)[:, None]
    elevated = torch.empty((N_CORNERS, scaled.shape[1]), device=device)
    running = torch.zeros(scaled.shape[1], device=device)
    for j in range(D, 0, -1):
        elevated[j] = running - float(j) * scaled[j - 1]
        running = running + scaled[j - 1]
    elevated[0] = running
    return elevated


def _enclose(elevated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Place in steps of six (6, N) int64, rank (6, N) int64 and barycentric weights (6, N) of each pixel's simplex."""
    sixth = torch.tensor(np.float32(1.0 / 6.0), device=elevated.device)
    nearest = torch.round(elevated * sixth)
    difference = elevated - nearest * 6.0
    rank = torch.zeros(elevated.shape, dtype=torch.int64, device=elevated.device)
    for i in range(N_CORNERS):
        for j in range(i + 1, N_CORNERS):
            less = difference[i] < difference[j]
            rank[i] += less
            rank[j] += ~less
    place = nearest.long()
    rank += place.sum(dim=0)
    wrap = (rank < 0).long() - (rank > D).long()
    place += wrap
    rank += N_CORNERS * wrap
    if place.numel() and int(place[:D].abs().max()) > LIMIT:
        raise ValueError("the lattice is too large for this engine; use the sparse one")
    share = (elevated - (place * 6).float()) * sixth
    by_rank = torch.empty_like(share).scatter_(0, rank, share)
    weights = torch.empty_like(share)
    weights[0] = by_rank[D] + (1.0 - by_rank[0])
    for k in range(1, N_CORNERS):
        weights[k] = by_rank[D - k] - by_rank[N_CORNERS - k]
    return place, rank, weights


def _corners(place: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """Vertex (6, N) of each corner of each pixel's simplex, and the sorted packed keys (M,) of the vertices."""
    packed = torch.zeros_like(place[0])
    for k in range(D):
        packed = (packed << (BITS + 3)) | ((place[k] + LIMIT + 4) << 3) | rank[k]
    simplices, of_pixel = torch.unique(packed, return_inverse=True)
    keys = torch.empty((N_CORNERS, len(simplices)), dtype=torch.int64, device=place.device)
    for corner in range(N_CORNERS):
        key = torch.zeros_like(simplices)
        for k in range(D):
            field = simplices >> ((BITS + 3) * (D - 1 - k))
            wraps = (field & 7) > D - corner
            key = (key << BITS) | (((field >> 3) & (2**BITS - 1)) - wraps.long())
        keys[corner] = (key << 3) | corner
    vertices, of_corner = torch.unique(keys, return_inverse=True)
    return of_corner[:, of_pixel], vertices


def _neighbours(keys: Tensor) -> Tensor:
    """Both neighbours (6, 2, M) of each vertex along each axis; M where there is none."""
    ones = sum(1 << (BITS * k) for k in range(D))
    corner, place = keys & 7, keys >> 3
    below = ((place - ones * (corner == 0).long()) << 3) | ((corner - 1) % N_CORNERS)
    above = ((place + ones * (corner == D).long()) << 3) | ((corner + 1) % N_CORNERS)
    out = torch.empty((N_CORNERS, 2, len(keys)), dtype=torch.int64, device=keys.device)
    for axis in range(N_CORNERS):
        step = 1 << (BITS * (D - 1 - axis) + 3) if axis < D else 0
        for side, wanted in enumerate((below + step, above - step)):
            at = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
            out[axis, side] = torch.where(keys[at] == wanted, at, len(keys))
    return out
