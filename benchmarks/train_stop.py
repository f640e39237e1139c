"""Stop of a training on the processor: when does it compute no more, when is its process gone, is all of it kept?

    python -m benchmarks.train_stop [--preset reference] [--rounds 6] [--threads N] [--quick]

Synthetic frames, simulated gaze. Half of the stops come before the first step is through (a checkpoint would hold
nothing that the configuration does not make anew, so none is written), half of them after it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, show
from benchmarks.frames import synthetic_snapshot
from training.checkpoints import Checkpoints
from training.config import preset
from training.messages import RunState
from training.supervisor import TrainingRun
from training.threads import threads_beside_a_window

LIMIT_S = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="reference")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=threads_beside_a_window())
    parser.add_argument("--quick", action="store_true", help="preset tiny, two rounds")
    options = parser.parse_args()
    name, n_rounds = ("tiny", 2) if options.quick else (options.preset, options.rounds)
    config = preset(name, device="cpu", threads=options.threads, evaluate_every=0, steps=100_000)
    rng = np.random.default_rng(0)
    computed, ended, sizes, n_torn = [], [], [], 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        snapshot = synthetic_snapshot(folder / "snapshot", n_train=10, n_val=2, size=(240, 240))
        for number in range(n_rounds):
            run = TrainingRun.start(config, snapshot.folder, folder / f"run-{number}")
            _wait(run, after_a_step=number % 2 == 1)
            time.sleep(float(rng.uniform(0, 3)))
            quiet_s, end_s = _stopped(run)
            computed.append(quiet_s)
            ended.append(end_s)
            at = int((run.last.get("stopped") or {}).get("step", -1))
            kept = Checkpoints(run.folder.checkpoints).load()
            n_torn += at != (0 if kept is None else int(kept.description["step"]))
            sizes.append(sum(path.stat().st_size for path in run.folder.checkpoints.glob("*.safetensors")) / 1e6)
            print(f"  step {at}: computes no more after {quiet_s:.2f} s, ended after {end_s:.2f} s, {sizes[-1]:.0f} MB")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    figures = [
        Figure("click to the end of computing, longest", f"{max(computed):.2f} s", "<= 1 s", max(computed) <= 1),
        Figure("click to the end of the process, median", f"{np.median(ended):.2f} s", "<= 1 s", None),
        Figure("click to the end of the process, longest", f"{max(ended):.2f} s", "<= 1 s", max(ended) <= 1),
        Figure("stops that did not keep their last step", str(n_torn), "0", n_torn == 0),
    ]
    return show(f"{n_rounds} stops of {name}, {options.threads} threads, load {load}", figures)


def _wait(run: TrainingRun, *, after_a_step: bool) -> None:
    deadline = time.monotonic() + LIMIT_S
    while run.state is not RunState.TRAINING or (after_a_step and "step" not in run.last):
        if time.monotonic() > deadline or run.has_ended:
            raise RuntimeError("the run did not get so far")
        time.sleep(0.01)


def _stopped(run: TrainingRun) -> tuple[float, float]:
    """Seconds to the worker's word that it computes no more, and to the end of its process."""
    asked = time.perf_counter()
    run.stop()
    quiet_s = float("nan")
    for event in run.events():
        if event["event"] == "saving":
            quiet_s = time.perf_counter() - asked
    return quiet_s, time.perf_counter() - asked


if __name__ == "__main__":
    raise SystemExit(main())
