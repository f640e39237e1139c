"""Kill -9 of a training at many points: how many checkpoints are torn, and whether the end is the same bit for bit.

python -m benchmarks.train_resume [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, show
from benchmarks.frames import synthetic_snapshot
from storage.model_file import read_tensor_file
from training.checkpoints import Checkpoints
from training.config import preset
from training.messages import RunState
from training.supervisor import TrainingRun

LIMIT_S = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 kills instead of 20")
    options = parser.parse_args()
    n_kills = 4 if options.quick else 20
    steps = 10 * n_kills
    config = preset(
        "tiny", features=(4, 8, 8, 8, 8, 8), feature_dim=8, size_px=32, batch=4, steps=steps, checkpoint_every=1,
        self_training_steps=10, geometric=1.0, threads=1, evaluate_every=0, device="cpu",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    torn, lost = 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        snapshot = synthetic_snapshot(folder / "snapshot", n_train=12, n_val=2, size=(48, 60))
        whole = TrainingRun.start(config, snapshot.folder, folder / "whole")
        run = TrainingRun.start(config, snapshot.folder, folder / "cut")
        for kill in range(n_kills):
            seen = 0
            for event in run.events():
                if event["event"] == "step":
                    seen = int(event["step"])
                    if seen >= 10 * kill + 3:
                        # Anywhere between two steps or in the middle of a write.
                        time.sleep(float(rng.uniform(0, 0.08)))
                        run.kill()
                        break
            run.wait(LIMIT_S)
            kept = Checkpoints(folder / "cut" / "checkpoints").load()
            torn += kept is None
            lost.append(seen - (int(kept.description["step"]) if kept else 0))
            run = TrainingRun.start_again(folder / "cut")
        ends = [run.wait(LIMIT_S), whole.wait(LIMIT_S)]
        done = ends == [RunState.DONE, RunState.DONE]
        equal = done and _equal(folder / "whole" / "model.safetensors", folder / "cut" / "model.safetensors")
    figures = [
        Figure("runs without a whole checkpoint", str(torn), "0", torn == 0),
        Figure("steps lost, at most", str(max(0, *lost)), "<= 1 checkpoint (1)", max(lost) <= 1),
        Figure("final weights equal bit for bit", str(equal), "True", equal),
    ]
    return show(f"Kill -9 at {n_kills} points of {steps + 10} steps, checkpoint every step", figures)


def _equal(first: Path, second: Path) -> bool:
    one, other = (read_tensor_file(path, kind="model").tensors for path in (first, second))
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


if __name__ == "__main__":
    raise SystemExit(main())
