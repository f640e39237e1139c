from __future__ import annotations

import pytest
import torch

from training.config import preset
from training.losses import agreement_loss, level_loss, multi_level_loss
from training.multi_level import LevelOutputs
from training.schedule import consistency_weight, learning_rate


def test_that_ignored_pixels_do_not_change_the_loss() -> None:
    logits = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    target = (logits > 0).float()
    weight = torch.ones_like(target)
    weight[:, :, :3] = 0
    changed = target.clone()
    changed[:, :, :3] = 1 - changed[:, :, :3]
    one = level_loss(logits, target, weight, 1.0)
    assert torch.equal(one, level_loss(logits, changed, weight, 1.0))
    assert not torch.equal(one, level_loss(logits, changed, None, 1.0))


def test_that_an_empty_label_asks_for_an_empty_prediction() -> None:
    empty = torch.zeros(1, 1, 8, 8)
    losses = [float(level_loss(torch.full_like(empty, value), empty, None, 1.0)) for value in (-8.0, 0.0, 8.0)]
    assert losses[0] < 0.1 < losses[1] < losses[2]


def test_that_agreement_is_linear_and_gives_its_peers_no_gradient() -> None:
    first = torch.tensor([[[[0.3]]]], requires_grad=True)
    second = torch.tensor([[[[-1.2]]]], requires_grad=True)
    p, q = torch.sigmoid(first), torch.sigmoid(second)
    own = torch.tensor([[[[0.8]]]], requires_grad=True)
    o = torch.sigmoid(own)
    loss = agreement_loss([first, second], [own, own])
    expected = -(o * q + (1 - o) * (1 - q)) - (o * p + (1 - o) * (1 - p))
    assert loss.item() == pytest.approx(expected.item())
    loss.sum().backward()
    assert first.grad is None
    assert second.grad is None
    assert own.grad is not None


def test_that_one_level_has_no_agreement_and_needs_no_propagation() -> None:
    config = preset("tiny", thresholds=(0.5,))
    logits = torch.zeros(2, 1, 4, 4)
    terms = multi_level_loss(
        LevelOutputs([logits], []), torch.ones(2, 1, 4, 4), None, config=config, consistency_weight=3.0
    )
    assert "agreement" not in terms.parts
    assert terms.total.shape == (2,)


def test_that_the_published_schedule_lags_by_an_epoch_and_ours_ends_at_the_final_rate() -> None:
    published = preset("reference")
    # 900 images, batch 8: 113 steps per epoch, 133 epochs (med-air/GazeMedSeg, trainers/base.py).
    rates = [learning_rate(published, epoch * 113, 900) for epoch in (0, 1, 2)]
    assert rates[0] == rates[1] > rates[2]
    assert rates[0] == pytest.approx(1e-4 + 9.9e-3 * 0.5 * (1 + torch.cos(torch.tensor(torch.pi / 133)).item()))
    ours = preset("reference", epoch_lag=False, warm_up_steps=10)
    assert learning_rate(ours, 0, 900) == pytest.approx(1e-3)
    assert learning_rate(ours, 10, 900) == pytest.approx(1e-2)
    assert learning_rate(ours, 15000, 900) == pytest.approx(1e-4)


def test_that_the_consistency_rises_to_its_weight() -> None:
    config = preset("tiny", consistency_ramp_steps=10, consistency_weight=2.0)
    weights = [consistency_weight(config, step) for step in range(12)]
    assert weights == sorted(weights)
    assert weights[0] < 0.02
    assert weights[-1] == 2.0
