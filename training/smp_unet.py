"""U-Nets of segmentation-models-pytorch as backbones: what their one-file entries in backbones/ share."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from training.config import TrainConfig
from training.torchvision_shim import ensure_torchvision

GROUPS = 8


class SmpUnet(nn.Module):
    """An encoder-decoder with `feature_dim` output channels at full resolution; never downloads weights."""

    def __init__(self, encoder_name: str, config: TrainConfig, *, decoder: str = "Unet") -> None:
        super().__init__()
        ensure_torchvision()
        import segmentation_models_pytorch as smp

        net: Any = getattr(smp, decoder)(  # untyped package
            encoder_name=encoder_name,
            encoder_weights=None,
            in_channels=config.in_channels,
            classes=config.feature_dim,
        )
        if not config.weights_file:
            # From scratch, group norm does not depend on the batch, so micro-batches give the same result; weights
            # from a file were trained with their batch norm and keep it.
            _replace_batch_norms(net)
        _silence_dropout(net)
        self.encoder: nn.Module = net.encoder
        self.decoder: nn.Module = net.decoder
        self.exit: nn.Module = net.segmentation_head

    def forward(self, image: Tensor) -> Tensor:
        """(B, in, H, W) to (B, feature_dim, H, W); H and W multiples of 32."""
        out: Tensor = self.exit(self.decoder(self.encoder(image)))
        return out


def _silence_dropout(net: nn.Module) -> None:
    """Dropout draws from torch's own generator: a resumed run would draw anew. Augmentation does its work here."""
    for module in net.modules():
        if isinstance(module, (nn.Dropout, nn.Dropout2d)):
            module.p = 0.0
        elif hasattr(module, "drop_prob"):
            setattr(module, "drop_prob", 0.0)  # noqa: B010 - timm's DropPath, whose type is not known here


def _replace_batch_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            channels = child.num_features
            normed: nn.Module = nn.GroupNorm(math.gcd(GROUPS, channels), channels)
            # timm folds the activation into its norm layer: it must not be lost with it.
            activation = getattr(child, "act", None)
            if isinstance(activation, nn.Module) and not isinstance(activation, nn.Identity):
                normed = nn.Sequential(normed, activation)
            setattr(module, name, normed)
        else:
            _replace_batch_norms(child)
