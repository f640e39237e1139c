"""How many images of a batch are worked on at once."""

from __future__ import annotations

import torch
from torch import nn

from training.config import TrainConfig

_LARGE = 4_000_000


def first_micro_batch(config: TrainConfig, net: nn.Module, device: torch.device) -> int:
    """What a new run begins with: all of a batch, or one image where a processor works on a large network.

    One image keeps a processor as busy as eight, in an eighth of the memory for activations, and a step is given up
    between any two of its convolutions: of eight images at once the largest alone takes seconds. Networks with
    statistics of batches take all, since their result depends on it.
    """
    if config.micro_batch:
        return min(config.micro_batch, config.batch)
    n_weights = sum(p.numel() for p in net.parameters())
    has_batch_norms = any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    return 1 if device.type == "cpu" and n_weights > _LARGE and not has_batch_norms else config.batch
