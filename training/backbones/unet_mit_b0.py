"""U-Net with a SegFormer's MiT-B0 encoder."""

from __future__ import annotations

from torch import nn

from training.backbone import backbones
from training.config import TrainConfig
from training.smp_unet import SmpUnet


@backbones.register("unet_mit_b0")
def build(config: TrainConfig) -> nn.Module:
    """Encoder from segmentation-models-pytorch; pretrained where `weights_file` names a file."""
    return SmpUnet("mit_b0", config)
