"""What the levels are asked for: their labels, and agreement with each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.config import TrainConfig
from training.multi_level import LevelOutputs


@dataclass(frozen=True)
class LossTerms:
    """Loss per sample (B,), ready to be added up over micro-batches, and its parts as means over the batch."""

    total: Tensor
    parts: dict[str, Tensor]


def level_loss(logits: Tensor, target: Tensor, weight: Tensor | None, dice_weight: float) -> Tensor:
    """Binary cross entropy plus `dice_weight` times soft Dice loss, per sample (B,).

    logits, target (0-1), weight (0-1 or None = all 1): (B, 1, H, W). Pixels of weight 0 do not count.
    """
    wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    target = target.to(wide.dtype)
    axes = (1, 2, 3)
    entropy = functional.binary_cross_entropy_with_logits(wide, target, reduction="none")
    if weight is None:
        loss = entropy.mean(axes)
    else:
        weight = weight.to(wide.dtype)
        loss = (entropy * weight).sum(axes) / weight.sum(axes).clamp_min(1.0)
    if dice_weight:
        counted = torch.ones_like(target) if weight is None else weight
        probability = torch.sigmoid(wide)
        shared = (probability * target * counted).sum(axes)
        size = ((probability + target) * counted).sum(axes)
        # One pixel of smoothing: an empty label asks for an empty prediction instead of dividing by zero.
        loss = loss + dice_weight * (1 - (2 * shared + 1) / (size + 1))
    return loss


def agreement_loss(logits: list[Tensor], own: list[Tensor]) -> Tensor:
    """Minus the mean agreement of each level's own probabilities with its peers', per sample (B,), summed over levels.

    Agreement is p'q + (1-p')(1-q); no gradient flows into the peers. Source: Zhong et al. 2024, equations 3-5, and
    utils/losses.py of the published code. `own` are the propagated logits, or the plain ones in `pure` mode.
    """
    peers = [torch.sigmoid(_wide(level)).detach() for level in logits]
    total = torch.zeros(logits[0].shape[0], dtype=peers[0].dtype, device=logits[0].device)
    for index, own_logits in enumerate(own):
        mine = torch.sigmoid(_wide(own_logits))
        others = [peer for number, peer in enumerate(peers) if number != index]
        for peer in others:
            total = total - (mine * peer + (1 - mine) * (1 - peer)).mean((1, 2, 3)) / len(others)
    return total


def multi_level_loss(
    outputs: LevelOutputs, targets: Tensor, weights: Tensor | None, *, config: TrainConfig, consistency_weight: float
) -> LossTerms:
    """All terms of one batch; targets and weights are (B, levels, H, W)."""
    parts: dict[str, Tensor] = {}
    total: Tensor | None = None
    for index, logits in enumerate(outputs.logits):
        weight = None if weights is None else weights[:, index : index + 1]
        loss = level_loss(logits, targets[:, index : index + 1], weight, config.dice_weight)
        parts[f"level_{index + 1}"] = loss.detach().mean()
        total = loss if total is None else total + loss
    if total is None:
        raise ValueError("a batch without levels has no loss")
    if config.consistency != "none" and consistency_weight > 0 and len(outputs.logits) > 1:
        own = outputs.propagated if config.consistency == "propagated" else outputs.logits
        agreement = agreement_loss(outputs.logits, own)
        parts["agreement"] = -agreement.detach().mean() / len(outputs.logits)
        total = total + consistency_weight * agreement
    parts["loss"] = total.detach().mean()
    return LossTerms(total, parts)


def _wide(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
