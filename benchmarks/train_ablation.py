"""What each part of the recipe gives, at small scale on a CPU: preset tiny on carried Kvasir images, SIMULATED gaze.

    python -m benchmarks.prepare_carry --images 300
    python -m benchmarks.train_ablation [--seeds 3] [--steps 120] [--quick]

Own split, last averaged weights, no choice by score. Differences are paired over images and bootstrapped; at this scale
they say which way a switch points at best, and nothing about preset best on a GPU.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.carried import cache_of, read_frames
from training.config import TrainConfig, preset
from training.device import Place
from training.engine import Engine
from training.prediction import Predictor
from training.scores import bootstrap_interval, dice
from training.self_training import blended_labels

PLACE = Place(torch.device("cpu"), None)
VARIANTS: dict[str, dict[str, Any]] = {
    "tiny as it is": {},
    "no averaged weights": {"ema_decay": 0.0},
    "no Dice term": {"dice_weight": 0.0},
    "no change of light": {"photometric": 0.0},
    "turns and zooms": {"geometric": 1.0},
    "no consistency": {"consistency": "none"},
    "pure consistency": {"consistency": "pure"},
    "dot product instead of cosine": {"similarity": "dot"},
    "levels begin as copies": {"copied_levels": True},
    "uncertain band, soft targets": {"uncertain_band": 0.05, "softness": 0.1},
    "no antialias": {"antialias": False},
    "aspect kept": {"keep_aspect": True},
    "flips at prediction": {"test_time_flips": True},
    "self-training, a quarter of the steps": {"self_training_steps": 30, "steps": 90},
    "full masks (upper bound)": {"supervision": "full"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=0, help="instead of the preset's")
    parser.add_argument("--only", help="names of variants, separated by commas; the first is what the others meet")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="one seed, two variants, ten steps")
    options = parser.parse_args()
    names = list(VARIANTS)[:2] if options.quick else list(VARIANTS)
    names = options.only.split(",") if options.only else names
    seeds = 1 if options.quick else options.seeds
    frames = read_frames()
    base: np.ndarray | None = None
    rows = {}
    print(f"{sum(frame[3] == 'test' for frame in frames)} test images of {len(frames)}, {seeds} seeds, simulated gaze")
    for name in names:
        changes = dict(VARIANTS[name])
        if options.quick or options.steps:
            changes |= {"steps": options.steps or 10, "self_training_steps": 0}
        runs = [_scores(preset("tiny", **changes, seed=seed, device="cpu"), frames) for seed in range(seeds)]
        mean = np.mean(runs, axis=0)
        base = mean if base is None else base
        low, high = bootstrap_interval(list(mean - base), [""] * len(mean))
        each = [float(np.mean(run)) for run in runs]
        rows[name] = {"dice": each, "gain": float((mean - base).mean()), "low": low, "high": high}
        spread = f" +- {np.std(each, ddof=1):.3f}" if seeds > 1 else ""
        gain = f"{(mean - base).mean():+.3f} ({low:+.3f} to {high:+.3f})"
        print(f"| {name} | {np.mean(each):.3f}{spread} | {gain} |", flush=True)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
    return 0


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
