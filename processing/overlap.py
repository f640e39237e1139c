"""How well two masks agree: Dice, intersection over union, Hausdorff distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Mask = NDArray[np.bool_]


def dice(first: Mask, second: Mask) -> float:
    """2 |A and B| / (|A| + |B|); 1 where both are empty."""
    _check(first, second)
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 1.0


def iou(first: Mask, second: Mask) -> float:
    """|A and B| / |A or B|; 1 where both are empty."""
    _check(first, second)
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0


def hausdorff95_px(first: Mask, second: Mask) -> float:
    """95th percentile of the distances between the borders, the larger of both directions, pixels.

    A border pixel belongs to the mask and has a 4-neighbour outside it or lies on the image's edge. 0 where both masks
    are empty, infinite where one is.
    """
    _check(first, second)
    if not first.any() and not second.any():
        return 0.0
    if not first.any() or not second.any():
        return float("inf")
    first_rc, second_rc = np.argwhere(_border(first)), np.argwhere(_border(second))
    # From border to border: some thousand points, where distance maps would cost as much as the image has pixels.
    to_second, _ = cKDTree(second_rc).query(first_rc)
    to_first, _ = cKDTree(first_rc).query(second_rc)
    return float(max(np.percentile(to_second, 95), np.percentile(to_first, 95)))


def dice_at_thresholds(map_01: NDArray[np.float32], mask: Mask, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Dice of (map >= threshold) with a mask for many rising thresholds at once, in one pass over the pixels."""
    if map_01.shape != mask.shape:
        raise ValueError(f"map and mask of different sizes: {map_01.shape} and {mask.shape}")
    if np.any(np.diff(thresholds) <= 0):
        raise ValueError("the thresholds must rise")
    n_passed = np.searchsorted(thresholds.astype(np.float32), map_01.ravel(), side="right")
    counts = np.bincount(n_passed + (len(thresholds) + 1) * mask.ravel(), minlength=2 * len(thresholds) + 2)
    # Pixels that pass at least so many thresholds, outside and inside the mask.
    outside, inside = np.cumsum(counts.reshape(2, -1)[:, ::-1], axis=1)[:, ::-1][:, 1:]
    total = outside + inside + int(mask.sum())
    return np.asarray(np.where(total > 0, 2.0 * inside / np.maximum(total, 1), 1.0), np.float64)


def _border(mask: Mask) -> Mask:
    around = np.pad(mask, 1)
    is_inside = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.asarray(mask & ~is_inside, np.bool_)


def _check(first: Mask, second: Mask) -> None:
    if first.shape != second.shape:
        raise ValueError(f"masks of different sizes: {first.shape} and {second.shape}")
    if first.dtype != np.bool_ or second.dtype != np.bool_:
        raise ValueError(f"boolean masks are needed, got {first.dtype} and {second.dtype}")
