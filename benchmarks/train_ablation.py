"""What each switch of preset best gives, in small on a CPU: carried Kvasir images, SIMULATED gaze.

    python -m benchmarks.prepare_carry
    python -m benchmarks.train_ablation [--seeds 1] [--images 300] [--steps 200] [--quick]

The base is preset best with the network and size of preset tiny, since best itself takes a day on a CPU. One switch is
turned off per row. Own split, last averaged weights, no choice by score. Differences are paired over test images and
bootstrapped; that interval does not hold what another seed would change, which the rows with nothing changed show.
Rows that differ by less than those do mean nothing, and no row says what a switch gives at 352 px after 8000 steps.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.carried import cache_of, read_frames
from training.config import TINY, TrainConfig, preset
from training.device import Place
from training.engine import Engine
from training.prediction import Predictor
from training.scores import bootstrap_interval, dice
from training.self_training import blended_labels

PLACE = Place(torch.device("cpu"), None)
SELF_TRAINING_SHARE = 0.2
# What tiny changes so that a CPU learns something in minutes; all else is preset best.
IN_SMALL: dict[str, Any] = {
    "backbone": "basic_unet",
    "features": TINY.features,
    "feature_dim": TINY.feature_dim,
    "size_px": 64,
    "batch": 4,
    "learning_rate": TINY.learning_rate,
    "final_learning_rate": TINY.final_learning_rate,
    "warm_up_steps": TINY.warm_up_steps,
    "ema_decay": TINY.ema_decay,
    "compile": False,
    "deterministic": True,
    "device": "cpu",
}
VARIANTS: dict[str, dict[str, Any]] = {
    "best in small": {},
    # What is not a switch: how far two equal recipes come apart.
    "nothing changed, another seed": {"seed": 100},
    "nothing changed, a third seed": {"seed": 200},
    "self-training off (all steps in one round)": {"self_training_steps": 0},
    "uncertain band off": {"uncertain_band": 0.0},
    "soft targets off": {"softness": 0.0},
    "turns and zooms off": {"geometric": 0.0},
    "changes of light off": {"photometric": 0.0},
    "averaged weights off": {"ema_decay": 0.0},
    "warm-up off": {"warm_up_steps": 0},
    "clipping off": {"clip_norm": 0.0},
    "Dice term off": {"dice_weight": 0.0},
    "consistency off": {"consistency": "none"},
    "consistency pure instead of propagated": {"consistency": "pure"},
    "dot product instead of cosine": {"similarity": "dot"},
    "levels begin as copies": {"copied_levels": True},
    "aspect not kept": {"keep_aspect": False},
    "antialias off": {"antialias": False},
    "flips at prediction off": {"test_time_flips": False},
    "full masks instead of gaze (upper bound)": {"supervision": "full", "uncertain_band": 0.0, "softness": 0.0},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=300, help="to train on; all test images are scored")
    parser.add_argument("--steps", type=int, default=200, help="of both rounds together")
    parser.add_argument("--only", help="names of variants, separated by commas; the first is what the others meet")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="one seed, two variants, ten steps")
    options = parser.parse_args()
    names = list(VARIANTS)[:2] if options.quick else list(VARIANTS)
    names = options.only.split(",") if options.only else names
    seeds = 1 if options.quick else options.seeds
    frames = read_frames()
    trained = [frame for frame in frames if frame[3] == "train"][: options.images]
    frames = trained + [frame for frame in frames if frame[3] == "test"]
    base: np.ndarray | None = None
    rows = {}
    n_test = len(frames) - len(trained)
    print(f"{len(trained)} training and {n_test} test images, {seeds} seeds, {options.steps} steps, simulated gaze")
    print("| variant | Dice of each seed | gain against the first row, 95 % interval over images |\n|---|---|---|")
    for name in names:
        began = time.monotonic()
        runs = [_scores(_config(name, 10 if options.quick else options.steps, seed), frames) for seed in range(seeds)]
        mean = np.mean(runs, axis=0)
        base = mean if base is None else base
        low, high = bootstrap_interval(list(mean - base), [""] * len(mean))
        each = [float(np.mean(run)) for run in runs]
        took = time.monotonic() - began
        rows[name] = {"dice": each, "gain": float((mean - base).mean()), "low": low, "high": high, "seconds": took}
        gain = f"{(mean - base).mean():+.3f} ({low:+.3f} to {high:+.3f})"
        print(f"| {name} | {', '.join(f'{value:.3f}' for value in each)} | {gain} |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
    return 0


def _config(name: str, steps: int, seed: int) -> TrainConfig:
    changes = {**IN_SMALL, **VARIANTS[name]}
    second = changes.pop("self_training_steps", round(steps * SELF_TRAINING_SHARE))
    ramp = steps // 3
    seed += changes.pop("seed", 0)
    return preset(
        "best",
        **changes,
        steps=steps - second,
        self_training_steps=second,
        consistency_ramp_steps=ramp,
        seed=seed,
        evaluate_every=0,
    )


def _scores(config: TrainConfig, frames: list[Any]) -> list[float]:
    cache = cache_of(_with_masks(frames) if config.supervision == "full" else frames, config)
    engine = Engine(config, cache, PLACE)
    while engine.step < config.total_steps:
        if engine.step == config.steps:
            engine.cache = engine.cache.with_labels(*blended_labels(engine))
        engine.train_step()
    test = [(image, mask) for image, mask, _, part in frames if part == "test"]
    predictions = Predictor(engine.final_net, config, PLACE).predict_many(image for image, _ in test)
    return [dice(prediction.mask, mask) for prediction, (_, mask) in zip(predictions, test, strict=True)]


def _with_masks(frames: list[Any]) -> list[Any]:
    return [(image, mask, mask.astype(np.float32), part) for image, mask, _, part in frames]


if __name__ == "__main__":
    raise SystemExit(main())
