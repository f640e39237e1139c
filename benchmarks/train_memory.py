"""Main memory of a training on the processor: what the page predicts against the peak of the worker's process.

    python -m benchmarks.train_memory [--cases "best 352 1, reference 224 1"] [--steps 3] [--quick]

Each case is a preset or a backbone (trained as preset best), its size in pixels and its batch, worked on at once. The
worker is the real one; its peak is what the system noted for its process after a few steps (Linux). Synthetic frames.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, show
from benchmarks.frames import synthetic_snapshot
from training.config import PRESETS, TrainConfig, preset
from training.prediction_of_cost import predicted_cost
from training.supervisor import TrainingRun

CASES = "best 352 1, best 352 2, unet_mit_b0 256 2, unet_efficientnet_b0 224 2, reference 160 1, tiny 96 8"
N_IMAGES = 12
LIMIT_S = 600.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one small case")
    options = parser.parse_args()
    if not Path("/proc/self/status").exists():
        print("The peak of another process can be read on Linux only.")
        return 0
    figures = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        snapshot = synthetic_snapshot(folder / "snapshot", n_train=N_IMAGES, n_val=0, size=(400, 480))
        for number, words in enumerate(("tiny 64 4" if options.quick else options.cases).split(",")):
            name, size, batch = words.split()
            config = _config(name, int(size), int(batch))
            predicted = predicted_cost(config, N_IMAGES, timeout_s=LIMIT_S).memory_bytes / 1e6
            measured = _peak_mb(TrainingRun.start(config, snapshot.folder, folder / f"run-{number}"), options.steps)
            ratio = predicted / measured
            value = f"{measured:.0f} / {predicted:.0f} MB = {ratio:.2f}"
            print(f"  {words.strip()}: {value}", flush=True)
            figures.append(Figure(f"{words.strip()}", value, "0.8 to 1.25", 0.8 <= ratio <= 1.25))
    return show("Peak of the worker / prediction, prediction over peak", figures)


def _config(name: str, size: int, batch: int) -> TrainConfig:
    changes = {"size_px": size, "batch": batch, "micro_batch": batch, "device": "cpu", "threads": 1}
    changes |= {"evaluate_every": 0, "compile": False}
    if name in PRESETS:
        return preset(name, **changes)
    return preset("best", backbone=name, **changes)


def _peak_mb(run: TrainingRun, steps: int) -> float:
    deadline = time.monotonic() + LIMIT_S
    while (run.last.get("step") or {}).get("step", 0) < steps:
        if time.monotonic() > deadline or run.has_ended:
            raise RuntimeError("the run did not get so far")
        time.sleep(0.05)
    status = Path(f"/proc/{run.process_id}/status").read_text()
    run.stop()
    run.wait(LIMIT_S)
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / 1e6 if found else float("nan")


if __name__ == "__main__":
    raise SystemExit(main())
