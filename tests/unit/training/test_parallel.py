"""Two CPU processes under torchrun, and what a single process gives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from storage.model_file import read_tensor_file
from storage.snapshot_file import Snapshot
from training.config import TrainConfig
from training.run_folder import RunFolder

_ROOT = Path(__file__).resolve().parents[3]
_TWO = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2")
# A worker whose second process meets trouble in its part of the second step.
_TROUBLED = """
import os, signal, sys
import torch
from training.engine import Engine
from training.worker import main

loss = Engine._loss

def troubled(self, image, targets, weights):
    if self.share.rank == 1 and self.step == 1:
        TROUBLE
    return loss(self, image, targets, weights)

Engine._loss = troubled
sys.exit(main([sys.argv[1]]))
"""
_APART = """
import os, sys
from training.checkpoints import Checkpoints
from training.worker import main

if os.environ["RANK"] == "1":
    Checkpoints.load = lambda self: None
sys.exit(main([sys.argv[1], "--resume"]))
"""


def _process(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def _trained(folder: Path, *command: str) -> dict[str, np.ndarray]:
    done = _process(*command, str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return read_tensor_file(RunFolder(folder).model, kind="model").tensors


@pytest.mark.slow
def test_that_two_processes_give_what_one_gives(snapshot: Snapshot, small: TrainConfig, tmp_path: Path) -> None:
    # Ten images in batches of four: the last batch is short, and with batches of three one process gets one image.
    config = small.with_changes(steps=4, batch=3, optimiser="sgd", momentum=0.0, ema_decay=0.0)
    for name in ("one", "two"):
        RunFolder(tmp_path / name).create(config, snapshot.folder, snapshot.digest)
    one = _trained(tmp_path / "one", "training.worker")
    two = _trained(tmp_path / "two", *_TWO, "-m", "training.worker")
    _assert_alike(one, two)


@pytest.mark.slow
def test_that_memory_short_in_one_process_makes_all_go_on_in_smaller_pieces(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    config = small.with_changes(steps=4, batch=4, optimiser="sgd", momentum=0.0, ema_decay=0.0)
    for name in ("one", "two"):
        RunFolder(tmp_path / name).create(config, snapshot.folder, snapshot.digest)
    script = _troubled(tmp_path, "if len(image) > 1: raise torch.OutOfMemoryError('as if')")
    one = _trained(tmp_path / "one", "training.worker")
    two = _trained(tmp_path / "two", *_TWO, script)
    _assert_alike(one, two)
    pieces = [row["micro_batch"] for row in RunFolder(tmp_path / "two").rows()]
    assert pieces[0] == 4
    assert pieces[-1] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("raise RuntimeError('a broken kernel')", "Process 1 of 2 failed: RuntimeError: a broken kernel"),
        ("raise torch.OutOfMemoryError('as if')", "The memory is too small for even one image."),
        ("os.kill(os.getpid(), signal.SIGKILL)", ""),
    ],
    ids=["error", "memory", "killed"],
)
def test_that_all_processes_fail_together_and_soon(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path, trouble: str, reason: str
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL, and torchrun there needs libuv")
    RunFolder(tmp_path / "run").create(small, snapshot.folder, snapshot.digest)
    began = time.monotonic()
    done = _process(*_TWO, _troubled(tmp_path, trouble), str(tmp_path / "run"))
    # Most of it is the start of two processes; a hang would last until the limit of gloo, half an hour.
    assert time.monotonic() - began < 90
    assert done.returncode != 0
    if reason:
        assert reason in RunFolder(tmp_path / "run").events.read_text()


@pytest.mark.slow
def test_that_processes_with_different_checkpoints_do_not_go_on(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    """As where each machine has a folder of its own."""
    folder = tmp_path / "run"
    RunFolder(folder).create(small, snapshot.folder, snapshot.digest)
    _trained(folder, "training.worker")
    script = tmp_path / "apart.py"
    script.write_text(_APART)
    done = _process(*_TWO, str(script), str(folder))
    assert done.returncode != 0
    assert "begin at different steps (0 and 6)" in RunFolder(folder).events.read_text()


def _troubled(folder: Path, trouble: str) -> str:
    script = folder / "troubled_worker.py"
    script.write_text(_TROUBLED.replace("TROUBLE", trouble))
    return str(script)


def _assert_alike(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> None:
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
