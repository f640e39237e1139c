"""What a backbone is: a network that turns images into features of full resolution. One file each in backbones/."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from domain.registry import Registry
from training.config import TrainConfig

# A backbone's builder gives a module (B, in_channels, H, W) -> (B, feature_dim, H, W), H and W multiples of 32.
BuildBackbone = Callable[[TrainConfig], nn.Module]

backbones: Registry[BuildBackbone] = Registry("backbone", "training.backbones")
