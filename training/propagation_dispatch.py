"""Picks the fastest propagation that this device can run; all give the same result."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from collections.abc import Callable

import torch
from torch import Tensor

from training.propagation import propagate_logits

_log = logging.getLogger(__name__)

Propagate = Callable[[Tensor, Tensor, Tensor], Tensor]


def propagate(features: Tensor, logits: Tensor, bias: Tensor) -> Tensor:
    """Propagated logits (B, 1, H, W); see `training.propagation`."""
    if features.device.type == "cuda" and features.dtype != torch.float64:
        return _for_gpu()(features, logits, bias)
    return propagate_logits(features, logits, bias)


@functools.lru_cache(maxsize=1)
def _for_gpu() -> Propagate:
    """The Triton kernel where Triton works on this machine, tried once on a small image; else plain torch."""
    if importlib.util.find_spec("triton") is None:
        return propagate_logits
    try:
        kernel: Propagate = importlib.import_module("training.propagation_triton").propagate_with_triton
        features = torch.randn(1, 8, 9, 11, device="cuda")
        logits = torch.randn(1, 1, 9, 11, device="cuda")
        bias = torch.zeros(1, device="cuda")
        difference = (kernel(features, logits, bias) - propagate_logits(features, logits, bias)).abs().max()
        if float(difference) > 1e-3:
            _log.warning("the Triton propagation is off by %.1e here: using plain torch", float(difference))
            return propagate_logits
    except (RuntimeError, ImportError, OSError, ValueError, TypeError, AttributeError) as error:
        # Triton compiles at first use and fails in many ways where compiler or driver do not fit.
        _log.warning("Triton does not work here (%s): using plain torch", error)
        return propagate_logits
    return kernel
