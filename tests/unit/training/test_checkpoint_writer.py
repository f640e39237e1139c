"""Checkpoints written beside the training: whole, of one step, and never silently lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from domain.errors import StorageFullError
from storage.snapshot_file import Snapshot
from training.checkpoint_writer import CheckpointWriter
from training.checkpoints import Checkpoints
from training.config import TrainConfig
from training.data_cache import build_cache
from training.device import Place
from training.engine import Engine


class SlowDisk(Checkpoints):
    """Begins to write only when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.goes_on = threading.Event()

    def save(self, tensors: dict[str, Any], values: dict[str, Any]) -> Path:
        assert self.goes_on.wait(30)
        return super().save(tensors, values)


class FullDisk(Checkpoints):
    def save(self, tensors: dict[str, Any], values: dict[str, Any]) -> Path:
        raise StorageFullError("The disk is full.", "Make room.")


def _engine(snapshot: Snapshot, config: TrainConfig) -> Engine:
    return Engine(config, build_cache(snapshot, snapshot.of_split("train"), config), Place(torch.device("cpu"), None))


def test_that_a_step_that_overtakes_the_disk_does_not_mix_two_steps(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    engine, disk = _engine(snapshot, small.with_changes(ema_decay=0.9)), SlowDisk(tmp_path)
    written: list[int] = []
    writer = CheckpointWriter(disk, lambda step, _path: written.append(step))
    engine.train_step()
    wanted = {name: values.copy() for name, values in engine.state()[0].items()}
    waited: list[int] = []

    def before_update() -> None:
        waited.append(engine.step)
        disk.goes_on.set()  # the next step is computed, and only now a byte is written
        writer.wait()

    engine.before_update = before_update
    writer.begin(*engine.state())
    assert writer.is_busy
    engine.train_step()
    assert waited == [1]
    assert written == [1]
    stored = Checkpoints(tmp_path).load()
    assert stored is not None
    assert stored.description["step"] == writer.step == 1
    assert all(np.array_equal(stored.tensors[name], values) for name, values in wanted.items())
    assert not all(np.array_equal(engine.state()[0][name], values) for name, values in wanted.items())


def test_that_statistics_of_batches_in_a_state_stay_while_the_next_step_goes_forth(
    snapshot: Snapshot, small: TrainConfig
) -> None:
    engine = _engine(snapshot, small)
    engine.net.levels[0].add_module("norm", nn.BatchNorm2d(3))
    arrays, _ = engine.state()
    mean = arrays["net.levels.0.norm.running_mean"].copy()
    engine.net.levels[0].get_submodule("norm")(torch.ones(2, 3, 4, 4))
    assert np.array_equal(arrays["net.levels.0.norm.running_mean"], mean)


def test_that_what_the_disk_refused_is_told_to_the_one_who_waits(tmp_path: Path) -> None:
    writer = CheckpointWriter(FullDisk(tmp_path), lambda _step, _path: None)
    writer.begin({"a": np.zeros(1, np.float32)}, {"step": 1})
    with pytest.raises(StorageFullError):
        writer.wait()
    writer.wait()


def test_that_a_processor_takes_a_large_network_one_image_at_a_time(snapshot: Snapshot, small: TrainConfig) -> None:
    assert _engine(snapshot, small).micro_batch == small.batch
    large = _engine(snapshot, small.with_changes(features=(16, 32, 64, 256, 512, 16)))
    assert large.micro_batch == 1
    assert _engine(snapshot, small.with_changes(features=(16, 32, 64, 256, 512, 16), micro_batch=2)).micro_batch == 2


def test_that_a_large_checkpoint_is_not_written_again_at_once(tmp_path: Path) -> None:
    writer = CheckpointWriter(Checkpoints(tmp_path), lambda _step, _path: None)
    writer.begin({"a": np.zeros(1, np.float32)}, {"step": 1})
    writer.wait()
    assert not writer.is_burden(0.0), "a small one costs nothing"
    writer.begin({"a": np.zeros(17 << 20, np.float32)}, {"step": 2})
    writer.wait()
    assert writer.is_burden(0.0)
    assert not writer.is_burden(3600.0)


def test_that_nothing_is_written_over_what_is_being_written(tmp_path: Path) -> None:
    disk = SlowDisk(tmp_path)
    writer = CheckpointWriter(disk, lambda _step, _path: None)
    writer.begin({"a": np.zeros(1, np.float32)}, {"step": 1})
    assert writer.is_burden(3600.0)
    disk.goes_on.set()
    writer.wait()
    assert not writer.is_burden(3600.0)
