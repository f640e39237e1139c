from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from storage.snapshot_file import Snapshot
from training.config import TrainConfig
from training.data_cache import build_cache
from training.device import Place, make_repeatable
from training.engine import Engine
from training.interruption import Interruption, StepAbandoned


class Patience:
    """Wants to stop at the n-th question; never where n is 0."""

    def __init__(self, n: int = 0) -> None:
        self.left = n
        self.n_asked = 0

    def __call__(self) -> bool:
        self.n_asked += 1
        self.left -= 1
        return self.left == 0


def _engine(snapshot: Snapshot, config: TrainConfig) -> Engine:
    return Engine(config, build_cache(snapshot, snapshot.of_split("train"), config), Place(torch.device("cpu"), None))


def _digest(engine: Engine) -> str:
    arrays, values = engine.state()
    found = {name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for name, array in arrays.items()}
    return repr((sorted(found.items()), values))


@pytest.mark.parametrize("micro_batch", [0, 1])
def test_that_a_step_given_up_anywhere_leaves_nothing_behind(
    snapshot: Snapshot, small: TrainConfig, micro_batch: int
) -> None:
    config = small.with_changes(micro_batch=micro_batch)
    make_repeatable(config)
    plain, cut = _engine(snapshot, config), _engine(snapshot, config)
    patience = Patience()
    interruption = Interruption(cut.net, patience)
    plain.train_step()
    with interruption.armed():
        cut.train_step()
    n_questions = patience.n_asked
    assert n_questions > 60, "on the way forth and on the way back"
    before = _digest(cut)
    assert before == _digest(plain)
    for n in (1, n_questions // 3, n_questions // 2, n_questions - 1, n_questions):
        patience.left = n
        with pytest.raises(StepAbandoned), interruption.armed():
            cut.train_step()
        assert _digest(cut) == before
    plain.train_step()
    with interruption.armed():
        cut.train_step()
    assert _digest(cut) == _digest(plain), "the step that was given up is done again, bit for bit"


def test_that_running_statistics_go_back_as_well() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    interruption = Interruption(net, Patience(2))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(StepAbandoned), interruption.armed():
        net(torch.randn(2, 1, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_that_nobody_asks_where_a_step_may_not_be_given_up() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1))
    patience = Patience(1)
    interruption = Interruption(None, patience)
    with interruption.armed():
        net(torch.zeros(1, 1, 2, 2))
    Interruption(net, patience)
    net(torch.zeros(1, 1, 2, 2))
    assert patience.n_asked == 0
