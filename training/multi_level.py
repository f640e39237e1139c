"""One network per level, learning together; their mean is the prediction, their disagreement the uncertainty."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.backbone import backbones
from training.config import TrainConfig
from training.propagation_dispatch import propagate


@dataclass(frozen=True)
class LevelOutputs:
    """Per level: logits (B, 1, H, W) and, where asked for, propagated logits of the same shape."""

    logits: list[Tensor]
    propagated: list[Tensor]


class LevelNet(nn.Module):
    """Backbone and a 1 x 1 classifier on its features."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.backbone = backbones.get(config.backbone)(config)
        self.classifier: nn.Conv2d = nn.Conv2d(config.feature_dim, 1, 1)

    @property
    def bias(self) -> Tensor:
        """The classifier's bias (1,)."""
        return self.classifier.bias if self.classifier.bias is not None else torch.zeros(1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, in, H, W) to features (B, C, H, W) and logits (B, 1, H, W)."""
        features: Tensor = self.backbone(image)
        logits: Tensor = self.classifier(features)
        return features, logits


class MultiLevelNet(nn.Module):
    """The networks of all levels (Zhong et al. 2024, section 2.2)."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        nets: list[LevelNet] = []
        with torch.random.fork_rng(devices=[]):
            for level in range(config.n_levels):
                if level and config.copied_levels:
                    nets.append(copy.deepcopy(nets[0]))
                    continue
                torch.manual_seed(config.seed * 1000 + level)
                nets.append(LevelNet(config))
        self.levels = nn.ModuleList(nets)

    def level_nets(self) -> list[LevelNet]:
        """The levels, with their type."""
        return [net for net in self.levels if isinstance(net, LevelNet)]

    def forward(self, image: Tensor, with_propagation: bool = False) -> LevelOutputs:
        """Logits of all levels, and the propagated ones where the loss needs them."""
        logits, propagated = [], []
        for net in self.level_nets():
            features, level_logits = net(image)
            logits.append(level_logits)
            if with_propagation:
                scaled = scaled_features(features, self.config)
                propagated.append(propagate(scaled, level_logits, net.bias))
        return LevelOutputs(logits, propagated)


def scaled_features(features: Tensor, config: TrainConfig) -> Tensor:
    """Features whose plain dot product is the similarity that the configuration asks for."""
    if config.similarity == "dot":
        return features
    scaled: Tensor = functional.normalize(features, dim=1, eps=1e-6) * config.temperature**-0.5
    return scaled
