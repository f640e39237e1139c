"""Faults while a model is trained: killed workers and full disks."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from benchmarks.fault_cases import Case, Result, blob, frame, wait_until
from domain.errors import UserFacingError
from domain.labels import LabelParameters
from storage.model_file import read_tensor_file
from storage.snapshot_file import SnapshotSource, SnapshotWriter
from training.checkpoints import Checkpoints
from training.config import preset
from training.supervisor import TrainingRun


def kill_worker(folder: Path, chance: random.Random) -> Result:
    """kill -9 of the training worker: the run goes on from its last checkpoint and leaves a whole model."""
    with SnapshotWriter(folder / "snapshot", target="polyp", labels=LabelParameters(), is_simulated=True) as writer:
        for number in range(12):
            mask = blob(number)
            split = "val" if number >= 9 else "train"
            heat = mask.astype(np.float32) * 0.9
            writer.add(
                SnapshotSource(f"i{number}", frame(number), [heat], mask, "reference", case=f"c{number}", split=split)
            )
        writer.finish()
    config = preset(
        "tiny", features=(4, 8, 8, 8, 8, 8), feature_dim=8, size_px=32, batch=4, steps=60, checkpoint_every=5,
        evaluate_every=30, device="cpu",
    )  # fmt: skip
    run = TrainingRun.start(config, folder / "snapshot", folder / "run")
    checkpoints = Checkpoints(run.folder.checkpoints)
    wanted = chance.randrange(5, 50)
    reached = wait_until(lambda: checkpoints.newest_step() >= wanted or not run.is_alive, 120.0)
    before = checkpoints.newest_step()
    run.kill()
    run.wait(30)
    after = checkpoints.newest_step()
    if not reached:
        return Result(False, detail="the worker never came so far")
    again = TrainingRun.start_again(run.folder.folder)
    try:
        again.wait(180)
        again.raise_if_failed()
        read_tensor_file(again.folder.model, kind="model")
    except (UserFacingError, TimeoutError) as error:
        return Result(False, detail=str(error)[:80])
    return Result(True, max(0, before - after), f"killed after step {before}, went on from {after}")


CASES = (Case("kill -9 of a training, then resume", kill_worker, 5, 1),)
