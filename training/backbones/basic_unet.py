"""The published backbone."""

from __future__ import annotations

from torch import nn

from training.backbone import backbones
from training.basic_unet import BasicUnet
from training.config import TrainConfig


@backbones.register("basic_unet")
def build(config: TrainConfig) -> nn.Module:
    """The plain U-Net with the configuration's channel counts."""
    return BasicUnet(config.in_channels, config.feature_dim, config.features)
