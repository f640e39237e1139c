"""Propagated logits: each pixel's logit replaced by those of similar neighbours, without ever moving features."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

RADIUS = 2
DILATION = 2

# An index of the last two axes; `...` first, so that it fits any tensor (Python 3.10 has no `x[:, *index]`).
_Window = tuple[EllipsisType, slice, slice]


def neighbour_offsets(radius: int = RADIUS, dilation: int = DILATION) -> list[tuple[int, int]]:
    """The (row, column) offsets of the window in reading order, the centre in the middle; offset k mirrors n-1-k."""
    steps = range(-radius, radius + 1)
    return [(row * dilation, column * dilation) for row in steps for column in steps]


def propagate_logits(features: Tensor, logits: Tensor, bias: Tensor) -> Tensor:
    """Logits after the propagation of Zhong et al. 2024, by an exact identity.

    Published: f'(x) = sum_n w_n f(x+n), logit'(x) = c.f'(x) + b, with w = softmax over the 5 x 5 neighbours (dilation
    2, zero padding) of max(0, f(x).f(x+n)). As the classifier is linear and the weights sum to 1,
    logit'(x) = b + sum_n w_n (logit(x+n) - b), where terms outside the image are 0. Only one channel moves, and the
    correlation of x with x+n is that of x+n with x, so 13 dot products give all 25.

    Args:
        features: (B, C, H, W), what the classifier read; already scaled where a cosine is wanted.
        logits: (B, 1, H, W), classifier(features).
        bias: (1,), the classifier's bias.

    Returns:
        (B, 1, H, W) in the type of the logits; scores and softmax are computed in at least fp32.
    """
    # torch.autograd.Function.apply is untyped
    return _Propagation.apply(features, logits, bias)  # type: ignore[no-any-return, no-untyped-call]  # untyped in torch


class _Propagation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, logits: Tensor, bias: Tensor) -> Tensor:  # ctx has no public type
        wide = torch.promote_types(logits.dtype, torch.float32)
        scores = _scores(features, wide)
        centred = logits.to(wide) - bias.to(wide)
        weights = torch.softmax(scores.clamp_min(0), dim=1)
        out = torch.zeros_like(centred)
        for index, offset in enumerate(neighbour_offsets()):
            here, there = _windows(offset, features.shape[-2], features.shape[-1])
            out[:, 0][here] += weights[:, index][here] * centred[:, 0][there]
        ctx.save_for_backward(features, centred, weights, scores >= 0, out)
        ctx.types = (logits.dtype, bias.dtype)
        return (out + bias.to(wide)).to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features, centred, weights, is_open, out = ctx.saved_tensors
        grad = gradients[0].to(centred.dtype)
        height, width = features.shape[-2:]
        d_scores = torch.zeros_like(weights)
        d_centred = torch.zeros_like(centred)
        for index, offset in enumerate(neighbour_offsets()):
            here, there = _windows(offset, height, width)
            share = weights[:, index][here] * grad[:, 0][here]
            d_centred[:, 0][there] += share
        flow = weights * grad
        for index, offset in enumerate(neighbour_offsets()):
            here, there = _windows(offset, height, width)
            gain = centred[:, 0][there] - out[:, 0][here]
            d_scores[:, index][here] = flow[:, index][here] * gain * is_open[:, index][here]
        d_features = _features_gradient(features, d_scores)
        # out = b + sum w (logit - b): what the weights do not give back stays with the bias.
        d_bias = (grad.sum() - d_centred.sum()).reshape(1)
        logit_type, bias_type = ctx.types
        return d_features, d_centred.to(logit_type), d_bias.to(bias_type)


def _windows(offset: tuple[int, int], height: int, width: int) -> tuple[_Window, _Window]:
    """Where x lies and where x + offset lies, for all x with both inside the image."""
    row, column = offset
    here_rows, there_rows = _overlap(row, height)
    here_columns, there_columns = _overlap(column, width)
    return (..., here_rows, here_columns), (..., there_rows, there_columns)


def _overlap(step: int, n: int) -> tuple[slice, slice]:
    # A window wider than the image leaves an empty slice, never a negative end, which would count from the back.
    return slice(max(0, -step), max(0, n - max(0, step))), slice(max(0, step), max(0, n - max(0, -step)))


def _scores(features: Tensor, wide: torch.dtype) -> Tensor:
    """Dot products (B, 25, H, W) of each pixel with its neighbours, 0 outside; 13 products, the rest mirrored."""
    batch, _, height, width = features.shape
    offsets = neighbour_offsets()
    scores = torch.zeros((batch, len(offsets), height, width), dtype=wide, device=features.device)
    for index in range(len(offsets) // 2, len(offsets)):
        here, there = _windows(offsets[index], height, width)
        products = _dot(features[here], features[there], wide)
        scores[:, index][here] = products
        scores[:, len(offsets) - 1 - index][there] = products
    return scores


def _dot(first: Tensor, second: Tensor, wide: torch.dtype) -> Tensor:
    """Dot product over channels, in pieces of rows that stay in a processor's cache."""
    if first.device.type != "cpu":
        return (first.to(wide) * second.to(wide)).sum(1)
    rows = _rows_in_cache(first)
    pieces = [
        (a.to(wide) * b.to(wide)).sum(1)
        for a, b in zip(torch.split(first, rows, dim=2), torch.split(second, rows, dim=2), strict=True)
    ]
    return torch.cat(pieces, dim=1)


def _features_gradient(features: Tensor, d_scores: Tensor) -> Tensor:
    """What the gradient of the scores (B, 25, H, W) means for the features, each pair visited once."""
    height, width = features.shape[-2:]
    offsets = neighbour_offsets()
    centre = len(offsets) // 2
    grad = 2 * d_scores[:, centre : centre + 1].to(features.dtype) * features
    for index in range(centre + 1, len(offsets)):
        here, there = _windows(offsets[index], height, width)
        pair = d_scores[:, index][here] + d_scores[:, len(offsets) - 1 - index][there]
        pair = pair.unsqueeze(1).to(features.dtype)
        grad[here].addcmul_(pair, features[there])
        grad[there].addcmul_(pair, features[here])
    return grad


def _rows_in_cache(features: Tensor, cache_bytes: int = 1 << 19) -> int:
    per_row = features.shape[0] * features.shape[1] * features.shape[3] * features.element_size()
    return max(1, cache_bytes // max(1, per_row))


def propagate_slowly(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same by the definition: unfold, softmax, weighted features, classifier. For tests and benchmarks only."""
    batch, channels, height, width = features.shape
    padding = RADIUS * DILATION
    unfolded = functional.unfold(features, 2 * RADIUS + 1, dilation=DILATION, padding=padding)
    neighbours = unfolded.reshape(batch, channels, -1, height, width)
    weights = torch.softmax((features.unsqueeze(2) * neighbours).sum(1).clamp_min(0), dim=1)
    moved = (neighbours * weights.unsqueeze(1)).sum(2)
    return functional.conv2d(moved, weight, bias)
