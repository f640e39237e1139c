"""Kill -9 at any moment: the run goes on from its last checkpoint and ends with the very same weights."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from storage.model_file import TensorFile, read_tensor_file
from storage.snapshot_file import Snapshot
from training.checkpoints import Checkpoints
from training.config import TrainConfig
from training.messages import RunState
from training.run_folder import RunFolder
from training.supervisor import TrainingRun


def _tensors(step: int) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    return {"a": np.full(5, step, np.float32)}, {"step": step}


def test_that_the_newest_whole_checkpoint_is_read(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load() is None
    for step in (2, 4, 6):
        checkpoints.save(*_tensors(step))
    assert len(list(tmp_path.iterdir())) == 2
    newest = checkpoints.load()
    assert newest is not None
    assert newest.description["step"] == 6
    broken = max(tmp_path.iterdir(), key=lambda path: read_tensor_file(path, kind="checkpoint").description["step"])
    content = bytearray(broken.read_bytes())
    content[-2] ^= 1
    broken.write_bytes(content)
    older = checkpoints.load()
    assert isinstance(older, TensorFile)
    assert older.description["step"] == 4


def test_that_a_damaged_checkpoint_is_the_first_to_be_replaced(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(*_tensors(2))
    checkpoints.save(*_tensors(4))
    (tmp_path / "checkpoint-b.safetensors").write_bytes(b"torn")
    checkpoints.save(*_tensors(6))
    assert checkpoints.newest_step() == 6
    assert read_tensor_file(tmp_path / "checkpoint-a.safetensors", kind="checkpoint").description["step"] == 2


def test_that_drafts_of_a_killed_run_go_and_those_being_written_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    (tmp_path / ".sightline-0123.safetensors").write_bytes(b"half")
    checkpoints.save(*_tensors(2))
    assert len(list(tmp_path.iterdir())) == 2, "it may be the draft of another file, written at the same time"
    checkpoints.remove_drafts()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-a.safetensors"]


@pytest.mark.slow
def test_that_a_killed_run_ends_as_an_uninterrupted_one(snapshot: Snapshot, small: TrainConfig, tmp_path: Path) -> None:
    config = small.with_changes(steps=30, self_training_steps=6, ema_decay=0.9, checkpoint_every=1, geometric=1.0)
    whole = TrainingRun.start(config, snapshot.folder, tmp_path / "whole")
    assert whole.wait(120) is RunState.DONE
    run = TrainingRun.start(config, snapshot.folder, tmp_path / "cut")
    for kill_at in (3, 17, 31):
        for event in run.events():
            if event["event"] == "step" and event["step"] >= kill_at:
                time.sleep(0.013 * (kill_at % 5))
                run.kill()
                break
        assert run.wait(30) in (RunState.FAILED, RunState.DONE)
        run = TrainingRun.start_again(tmp_path / "cut")
    assert run.wait(120) is RunState.DONE
    wanted = read_tensor_file(RunFolder(tmp_path / "whole").model, kind="model").tensors
    found = read_tensor_file(RunFolder(tmp_path / "cut").model, kind="model").tensors
    assert all(np.array_equal(found[name], values) for name, values in wanted.items())
    steps = [row["step"] for row in RunFolder(tmp_path / "cut").rows()]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_that_a_paused_run_goes_on_and_ends_as_an_uninterrupted_one(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    config = small.with_changes(steps=20)
    runs = [TrainingRun.start(config, snapshot.folder, tmp_path / name) for name in ("whole", "paused")]
    runs[1].pause()
    deadline = time.monotonic() + 180
    while runs[1].state is not RunState.PAUSED and time.monotonic() < deadline:
        time.sleep(0.05)
    assert runs[1].state is RunState.PAUSED
    runs[1].resume()
    assert [run.wait(180) for run in runs] == [RunState.DONE, RunState.DONE]
    wanted, found = (read_tensor_file(run.folder.model, kind="model").tensors for run in runs)
    assert all(np.array_equal(found[name], values) for name, values in wanted.items())
