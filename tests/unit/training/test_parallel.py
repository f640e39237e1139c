"""Two CPU processes under torchrun, and what a single process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from storage.model_file import read_tensor_file
from storage.snapshot_file import Snapshot
from training.config import TrainConfig
from training.run_folder import RunFolder

_ROOT = Path(__file__).resolve().parents[3]


def _run(folder: Path, *launcher: str) -> dict[str, np.ndarray]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *launcher, "training.worker", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return read_tensor_file(RunFolder(folder).model, kind="model").tensors


@pytest.mark.slow
def test_that_two_processes_give_what_one_gives(snapshot: Snapshot, small: TrainConfig, tmp_path: Path) -> None:
    # Ten images in batches of four: the last batch is short, and with batches of three one process gets one image.
    config = small.with_changes(steps=4, batch=3, optimiser="sgd", momentum=0.0, ema_decay=0.0)
    for name in ("one", "two"):
        RunFolder(tmp_path / name).create(config, snapshot.folder, snapshot.digest)
    one = _run(tmp_path / "one")
    torchrun = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    two = _run(tmp_path / "two", *torchrun)
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
