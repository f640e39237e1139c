"""How well masks agree, and what can be said about a mean over few images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.numbers import generator

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ImageScore:
    """Agreement of one prediction with its mask; Hausdorff in pixels of the image, infinite where one is empty."""

    item_id: str
    case: str
    dice: float
    iou: float
    hausdorff95_px: float


def dice(predicted: Mask, truth: Mask) -> float:
    """2 |A and B| / (|A| + |B|); two empty masks agree perfectly (the published code gives them 0)."""
    total = int(predicted.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((predicted & truth).sum()) / total


def iou(predicted: Mask, truth: Mask) -> float:
    """|A and B| / |A or B|; two empty masks agree perfectly."""
    union = int((predicted | truth).sum())
    return 1.0 if union == 0 else int((predicted & truth).sum()) / union


def hausdorff95_px(predicted: Mask, truth: Mask) -> float:
    """95th percentile of the distances between the two borders, both ways; 0 for two empty masks."""
    if not predicted.any() or not truth.any():
        return 0.0 if not predicted.any() and not truth.any() else float("inf")
    borders = [mask & ~ndimage.binary_erosion(mask, border_value=0) for mask in (predicted, truth)]
    away = [ndimage.distance_transform_edt(~border) for border in borders]
    distances = np.concatenate([away[1][borders[0]], away[0][borders[1]]])
    return float(np.percentile(distances, 95))


def score(item_id: str, case: str, predicted: Mask, truth: Mask) -> ImageScore:
    """All measures of one image."""
    return ImageScore(item_id, case, dice(predicted, truth), iou(predicted, truth), hausdorff95_px(predicted, truth))


def bootstrap_interval(
    values: Sequence[float], cases: Sequence[str], *, n_draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the mean, drawing whole cases (patients) with replacement; an empty case is one of its own."""
    array = np.asarray(values, np.float64)
    if not len(array):
        return float("nan"), float("nan")
    names = np.asarray([case or f"image {index}" for index, case in enumerate(cases)])
    _, member = np.unique(names, return_inverse=True)
    sums = np.bincount(member, weights=array)
    counts = np.bincount(member).astype(np.float64)
    draws = generator(seed, "bootstrap").integers(0, len(sums), (n_draws, len(sums)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
