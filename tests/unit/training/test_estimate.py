"""What a run will take is told for every backbone, and counts what is really held at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from training.backbone import backbones
from training.config import TrainConfig, preset
from training.estimate import estimate


@pytest.mark.parametrize("name", sorted(backbones.names()))
def test_that_the_cost_of_every_backbone_can_be_told(name: str) -> None:
    torch.set_num_threads(1)
    found = estimate(preset("best", backbone=name, size_px=64, batch=2, device="cpu"), 20)
    assert found.memory_bytes > 1e8
    assert found.step_seconds > 0


def test_that_memory_grows_with_the_images_held_at_once_and_not_with_the_batch() -> None:
    torch.set_num_threads(1)
    config: TrainConfig = preset("best", size_px=352, batch=8, device="cpu")
    one, all_of_them = estimate(config, 20), estimate(replace(config, micro_batch=8), 20)
    assert all_of_them.memory_bytes > 1.5 * one.memory_bytes
    assert one.memory_bytes == pytest.approx(estimate(replace(config, batch=2), 20).memory_bytes, rel=0.1)
