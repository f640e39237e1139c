from __future__ import annotations

import pytest
import torch

from training.backbone import backbones
from training.config import TrainConfig, preset
from training.multi_level import MultiLevelNet


def _config(name: str, channels: int = 3) -> TrainConfig:
    features = {"features": (4, 8, 8, 8, 8, 8)} if name == "basic_unet" else {}
    return preset("tiny", backbone=name, in_channels=channels, feature_dim=8, size_px=64, thresholds=(0.5,), **features)


@pytest.mark.parametrize("name", backbones.names())
@pytest.mark.parametrize("channels", [1, 3])
def test_that_a_backbone_gives_features_of_full_resolution_and_all_weights_learn(name: str, channels: int) -> None:
    torch.set_num_threads(1)
    net = MultiLevelNet(_config(name, channels)).levels[0]
    features, logits = net(torch.randn(2, channels, 64, 64))
    assert features.shape == (2, 8, 64, 64)
    assert logits.shape == (2, 1, 64, 64)
    (features.square().mean() + logits.square().mean()).backward()
    silent = [n for n, p in net.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    # smp encoders keep a head or a last stage that a U-Net does not read; nothing else may stay without a gradient.
    assert len(silent) <= 4, silent


@pytest.mark.parametrize("name", backbones.names())
def test_that_a_backbone_from_scratch_does_not_depend_on_its_batch(name: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = MultiLevelNet(_config(name))
    image = torch.randn(2, 3, 64, 64)
    net.train()
    both = net(image).logits[0]
    alone = net(image[1:]).logits[0]
    torch.testing.assert_close(both[1:], alone, rtol=1e-3, atol=1e-4)
