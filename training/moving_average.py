"""The slow copy of the network that evaluates, labels and is kept."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage:
    """Exponential moving average of all weights; early on it follows faster, by (1 + n) / (10 + n)."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.net = copy.deepcopy(net).eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, net: nn.Module, n_updates: int) -> None:
        """Move towards the network after its n-th step (from 0)."""
        decay = min(self.decay, (1 + n_updates) / (10 + n_updates))
        mine = [p.detach() for p in self.net.parameters()]
        theirs = [p.detach() for p in net.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for own, other in zip(self.net.buffers(), net.buffers(), strict=True):
            own.copy_(other)
