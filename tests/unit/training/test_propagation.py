from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.propagation import neighbour_offsets, propagate_logits, propagate_slowly


def _case(dtype: torch.dtype, height: int = 9, width: int = 11, scale: float = 1.0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, 7, height, width, generator=generator, dtype=dtype) * scale
    weight = torch.randn(1, 7, 1, 1, generator=generator, dtype=dtype)
    bias = torch.randn(1, generator=generator, dtype=dtype)
    gradient = torch.randn(2, 1, height, width, generator=generator, dtype=dtype)
    return features.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), gradient


def _ours(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return propagate_logits(features, functional.conv2d(features, weight, bias), bias)


@pytest.mark.parametrize("size", [(9, 11), (3, 4), (1, 1), (5, 40)], ids=str)
def test_that_the_identity_equals_the_definition_with_all_gradients(size: tuple[int, int]) -> None:
    features, weight, bias, gradient = _case(torch.float64, *size)
    expected = propagate_slowly(features, weight, bias)
    got = _ours(features, weight, bias)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(expected, (features, weight, bias), gradient)
    found = torch.autograd.grad(got, (features, weight, bias), gradient)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


def test_that_large_features_in_single_precision_stay_finite() -> None:
    features, weight, bias, gradient = _case(torch.float32, scale=30.0)
    out = _ours(features, weight, bias)
    torch.testing.assert_close(out, propagate_slowly(features, weight, bias), rtol=1e-4, atol=1e-4)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(out, (features, weight, bias), gradient))


def test_that_half_precision_features_get_scores_in_single_precision() -> None:
    features, weight, bias, _ = _case(torch.float32)
    exact = _ours(features.bfloat16().float(), weight, bias)
    logits = functional.conv2d(features.bfloat16().float(), weight, bias)
    half = propagate_logits(features.bfloat16(), logits, bias)
    torch.testing.assert_close(half, exact, rtol=1e-5, atol=1e-5)


def test_that_gradcheck_agrees_with_finite_differences() -> None:
    features, weight, bias, _ = _case(torch.float64, 5, 6)
    assert torch.autograd.gradcheck(_ours, (features, weight, bias), atol=1e-6)


def test_that_neighbours_come_in_mirrored_pairs_around_the_centre() -> None:
    offsets = neighbour_offsets()
    assert len(offsets) == 25
    assert offsets[12] == (0, 0)
    assert all(offsets[k] == tuple(-v for v in offsets[24 - k]) for k in range(25))
