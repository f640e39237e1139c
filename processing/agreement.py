"""How well annotators agree, and one mask from several: majority and STAPLE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from processing.overlap import dice, hausdorff95_px, iou

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Staple:
    """probability (H, W) that a pixel belongs to the hidden true mask; sensitivity and specificity per annotator."""

    probability: NDArray[np.float64]
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]
    n_iterations: int

    @property
    def mask(self) -> Mask:
        """Pixels that are more likely in than out."""
        return self.probability >= 0.5


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of two annotators on one image; distances in pixels (infinite where one mask is empty)."""

    image_id: str
    target: str
    first: str
    second: str
    dice: float
    iou: float
    hausdorff95_px: float
    kappa: float


def cohen_kappa(first: Mask, second: Mask) -> float:
    """Cohen's kappa of two masks over all pixels; 1 where both are equal.

    Source: Cohen 1960, A coefficient of agreement for nominal scales.
    """
    if first.shape != second.shape:
        raise ValueError(f"masks of different sizes: {first.shape} and {second.shape}")
    observed = float(np.mean(first == second))
    p_first, p_second = float(first.mean()), float(second.mean())
    expected = p_first * p_second + (1 - p_first) * (1 - p_second)
    return 1.0 if expected == 1.0 else (observed - expected) / (1 - expected)


def pairs(image_id: str, target: str, masks: Mapping[str, Mask]) -> list[PairAgreement]:
    """Agreement of every two annotators of one image, by name."""
    found = []
    for first, second in combinations(sorted(masks), 2):
        a, b = masks[first], masks[second]
        found.append(
            PairAgreement(
                image_id,
                target,
                first,
                second,
                dice=dice(a, b),
                iou=iou(a, b),
                hausdorff95_px=hausdorff95_px(a, b),
                kappa=cohen_kappa(a, b),
            )
        )
    return found


def majority(masks: Sequence[Mask]) -> Mask:
    """Pixels in more than half of the masks; a tie is out."""
    _check(masks)
    return np.asarray(2 * np.sum(masks, axis=0) > len(masks))


def staple(masks: Sequence[Mask], *, max_iterations: int = 1000, tolerance: float = 1e-7) -> Staple:
    """Simultaneous truth and performance level estimation.

    The prior is the share of foreground over all masks. With fewer than two masks there is nothing to estimate.

    Source: Warfield, Zou, Wells 2004, IEEE TMI 23(7): expectation maximisation, begun with the mean vote as in ITK.
    """
    _check(masks)
    patterns, inverse, counts = _patterns(masks)
    prior = float(patterns.mean(axis=0) @ counts / counts.sum())
    sensitivity, specificity = np.zeros(len(masks)), np.zeros(len(masks))
    weight = patterns.mean(axis=0)
    n_done = 0
    while n_done < max_iterations:
        n_done += 1
        inside_sum, outside_sum = float(weight @ counts), float((1 - weight) @ counts)
        new_sensitivity = (patterns @ (weight * counts)) / inside_sum if inside_sum else np.zeros(len(masks))
        new_specificity = (
            ((1 - patterns) @ ((1 - weight) * counts)) / outside_sum if outside_sum else np.zeros(len(masks))
        )
        inside = prior * np.prod(np.where(patterns == 1, new_sensitivity[:, None], 1 - new_sensitivity[:, None]), 0)
        outside = (1 - prior) * np.prod(
            np.where(patterns == 0, new_specificity[:, None], 1 - new_specificity[:, None]), 0
        )
        total = inside + outside
        weight = np.divide(inside, total, out=np.zeros_like(inside), where=total > 0)
        change = max(np.abs(new_sensitivity - sensitivity).max(), np.abs(new_specificity - specificity).max())
        sensitivity, specificity = new_sensitivity, new_specificity
        if change < tolerance:
            break
    probability = weight[np.ravel(inverse)].reshape(masks[0].shape)
    return Staple(probability, tuple(map(float, sensitivity)), tuple(map(float, specificity)), n_done)


def _patterns(masks: Sequence[Mask]) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Pixels on which all decide alike behave alike: the patterns, which a pixel has, how many have it."""
    code = np.zeros(masks[0].size, np.int64)
    for number, mask in enumerate(masks):
        code |= mask.ravel().astype(np.int64) << number
    found, inverse, counts = np.unique(code, return_inverse=True, return_counts=True)
    decisions = (found[None, :] >> np.arange(len(masks))[:, None]) & 1
    return decisions.astype(np.float64), np.ravel(inverse), counts


def _check(masks: Sequence[Mask]) -> None:
    if not masks:
        raise ValueError("a consensus needs at least one mask")
    if len(masks) > 62:
        raise ValueError(f"a consensus of {len(masks)} masks; at most 62 can be taken together")
    if len({mask.shape for mask in masks}) != 1:
        raise ValueError(f"masks of different sizes: {sorted({mask.shape for mask in masks})}")
