"""The propagation as Triton kernels: one pass forward, two backward, nothing but the features kept.

Features lie in memory as (B, H, W, C) (channels last), so that one pixel's channels are one read. Sums over channels,
scores and softmax are fp32. Every result is gathered, none is added to by several programs: the same input gives the
same bits.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from training.propagation import DILATION, RADIUS

# The window (5 x 5, dilation 2) stands as plain numbers in the kernels: compiler and interpreter treat global constants
# differently.
_NEIGHBOURS = 25
_PIXELS = 32
if (RADIUS, DILATION) != (2, 2):
    raise ImportError("the Triton kernels are written for radius 2 and dilation 2")


def propagate_with_triton(features: Tensor, logits: Tensor, bias: Tensor) -> Tensor:
    """Propagated logits (B, 1, H, W) as `training.propagation.propagate_logits` gives them."""
    # torch.autograd.Function.apply is untyped
    return _TritonPropagation.apply(features, logits, bias)  # type: ignore[no-any-return, no-untyped-call]  # untyped in torch


class _TritonPropagation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, logits: Tensor, bias: Tensor) -> Tensor:  # ctx has no public type
        batch, channels, height, width = features.shape
        last = features.contiguous(memory_format=torch.channels_last)
        centred = (logits.float() - bias.float()).contiguous()
        out = torch.empty_like(centred)
        grid = _grid(batch, height, width)
        _forward[grid](last, centred, out, height, width, channels, *_sizes(channels))
        ctx.save_for_backward(last, centred, out)
        ctx.types = (features.dtype, logits.dtype, bias.dtype)
        return (out + bias.float()).to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        last, centred, out = ctx.saved_tensors
        batch, channels, height, width = last.shape
        grad = gradients[0].float().contiguous()
        pixels = batch * height * width
        # Per pixel and neighbour: the gradient of its score, and its weight times the gradient.
        d_scores = torch.empty((pixels, _NEIGHBOURS), dtype=torch.float32, device=last.device)
        shares = torch.empty_like(d_scores)
        grid = _grid(batch, height, width)
        sizes = _sizes(channels)
        _backward_scores[grid](last, centred, out, grad, d_scores, shares, height, width, channels, *sizes)
        d_features = torch.empty_like(last, memory_format=torch.channels_last)
        d_centred = torch.empty_like(centred)
        _backward_gather[grid](last, d_scores, shares, d_features, d_centred, height, width, channels, *sizes)
        d_bias = (grad.sum() - d_centred.sum()).reshape(1)
        feature_type, logit_type, bias_type = ctx.types
        return d_features.to(feature_type), d_centred.to(logit_type), d_bias.to(bias_type)


def _grid(batch: int, height: int, width: int) -> tuple[int, int]:
    return (triton.cdiv(height * width, _PIXELS), batch)


def _sizes(channels: int) -> tuple[int, int]:
    return _PIXELS, triton.next_power_of_2(channels)


@triton.jit
def _place(height, width, pixels: tl.constexpr):
    index = tl.program_id(0) * pixels + tl.arange(0, pixels)
    return index, index // width, index % width, index < height * width


@triton.jit
def _neighbour(number, row, column, height, width, is_pixel):
    far_row = row + (number // 5 - 2) * 2
    far_column = column + (number % 5 - 2) * 2
    is_inside = is_pixel & (far_row >= 0) & (far_row < height) & (far_column >= 0) & (far_column < width)
    return far_row * width + far_column, is_inside


@triton.jit
def _vectors(base, index, mask, channels, block: tl.constexpr):
    lane = tl.arange(0, block)
    wanted = mask[:, None] & (lane[None, :] < channels)
    return tl.load(base + index[:, None] * channels + lane[None, :], mask=wanted, other=0.0).to(tl.float32)


@triton.jit
def _forward(features, centred, out, height, width, channels, pixels: tl.constexpr, block: tl.constexpr):
    index, row, column, is_pixel = _place(height, width, pixels)
    area = tl.program_id(1).to(tl.int64) * height * width
    base = features + area * channels
    own = _vectors(base, index, is_pixel, channels, block)
    # Online softmax: scores are at least 0, which outside neighbours have.
    largest = tl.zeros([pixels], tl.float32)
    total = tl.zeros([pixels], tl.float32)
    moved = tl.zeros([pixels], tl.float32)
    for number in range(25):
        far, is_inside = _neighbour(number, row, column, height, width, is_pixel)
        score = tl.maximum(tl.sum(own * _vectors(base, far, is_inside, channels, block), axis=1), 0.0)
        value = tl.load(centred + area + far, mask=is_inside, other=0.0)
        highest = tl.maximum(largest, score)
        shrink = tl.exp(largest - highest)
        weight = tl.exp(score - highest)
        total = total * shrink + weight
        moved = moved * shrink + weight * value
        largest = highest
    tl.store(out + area + index, moved / total, mask=is_pixel)


@triton.jit
def _backward_scores(
    features,
    centred,
    out,
    grad,
    d_scores,
    shares,
    height,
    width,
    channels,
    pixels: tl.constexpr,
    block: tl.constexpr,
):
    index, row, column, is_pixel = _place(height, width, pixels)
    area = tl.program_id(1).to(tl.int64) * height * width
    base = features + area * channels
    own = _vectors(base, index, is_pixel, channels, block)
    slot = (area + index) * 25
    largest = tl.zeros([pixels], tl.float32)
    total = tl.zeros([pixels], tl.float32)
    # First pass: scores into `shares`, and what the softmax needs.
    for number in range(25):
        far, is_inside = _neighbour(number, row, column, height, width, is_pixel)
        score = tl.sum(own * _vectors(base, far, is_inside, channels, block), axis=1)
        tl.store(shares + slot + number, score, mask=is_pixel)
        raised = tl.maximum(score, 0.0)
        highest = tl.maximum(largest, raised)
        total = total * tl.exp(largest - highest) + tl.exp(raised - highest)
        largest = highest
    mean = tl.load(out + area + index, mask=is_pixel, other=0.0)
    slope = tl.load(grad + area + index, mask=is_pixel, other=0.0)
    for number in range(25):
        far, is_inside = _neighbour(number, row, column, height, width, is_pixel)
        score = tl.load(shares + slot + number, mask=is_pixel, other=0.0)
        share = tl.exp(tl.maximum(score, 0.0) - largest) / total * slope
        value = tl.load(centred + area + far, mask=is_inside, other=0.0)
        # Only neighbours inside have features to pass a gradient to; ReLU is open at 0, as torch's clamp is.
        is_open = is_inside & (score >= 0)
        tl.store(d_scores + slot + number, tl.where(is_open, share * (value - mean), 0.0), mask=is_pixel)
        tl.store(shares + slot + number, tl.where(is_inside, share, 0.0), mask=is_pixel)


@triton.jit
def _backward_gather(
    features,
    d_scores,
    shares,
    d_features,
    d_centred,
    height,
    width,
    channels,
    pixels: tl.constexpr,
    block: tl.constexpr,
):
    index, row, column, is_pixel = _place(height, width, pixels)
    area = tl.program_id(1).to(tl.int64) * height * width
    base = features + area * channels
    slot = (area + index) * 25
    total = tl.zeros([pixels, block], tl.float32)
    given = tl.zeros([pixels], tl.float32)
    for number in range(25):
        far, is_inside = _neighbour(number, row, column, height, width, is_pixel)
        # The neighbour sees this pixel under the mirrored number.
        mirrored = (area + far) * 25 + (24 - number)
        pair = tl.load(d_scores + slot + number, mask=is_inside, other=0.0)
        pair += tl.load(d_scores + mirrored, mask=is_inside, other=0.0)
        total += pair[:, None] * _vectors(base, far, is_inside, channels, block)
        given += tl.load(shares + mirrored, mask=is_inside, other=0.0)
    lane = tl.arange(0, block)
    wanted = is_pixel[:, None] & (lane[None, :] < channels)
    place = d_features + area * channels + index[:, None] * channels + lane[None, :]
    tl.store(place, total.to(d_features.dtype.element_ty), mask=wanted)
    tl.store(d_centred + area + index, given, mask=is_pixel)
