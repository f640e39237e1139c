"""What each switch of preset best gives, in small on a CPU: carried Kvasir images, SIMULATED gaze.

    python -m benchmarks.prepare_carry
    python -m benchmarks.train_ablation [--seeds 3] [--images 300] [--steps 600] [--json FILE] [--quick]

The base is preset best with the network and size of preset tiny, since best itself takes a day on a CPU. One switch is
turned off per row. Own split, last averaged weights, no choice by score. A gain is the difference of two runs of one
seed; its interval comes from the spread of gains between seeds, pooled over all rows. No row says what a switch gives
at 352 px after 8000 steps. With --json, runs that are in the file already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as t_distribution

from benchmarks.carried import cache_of, read_frames
from training.config import REFERENCE, TINY, TrainConfig, preset
from training.device import Place
from training.engine import Engine
from training.prediction import Predictor
from training.scores import dice
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
# All in which best and reference differ, but the network and the size.
RECIPE = (
    "antialias",
    "clip_norm",
    "consistency_ramp_steps",
    "consistency_weight",
    "copied_levels",
    "dice_weight",
    "ema_decay",
    "epoch_lag",
    "final_learning_rate",
    "geometric",
    "keep_aspect",
    "learning_rate",
    "momentum",
    "optimiser",
    "photometric",
    "self_training_steps",
    "similarity",
    "softness",
    "test_time_flips",
    "uncertain_band",
    "warm_up_steps",
    "weight_decay",
)
VARIANTS: dict[str, dict[str, Any]] = {
    "best in small": {},
    # What is not a switch: how far two equal recipes come apart.
    "nothing changed, other seeds": {"seed": 100},
    "the recipe of reference instead": {name: REFERENCE.as_json()[name] for name in RECIPE},
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=300, help="to train on; all test images are scored")
    parser.add_argument("--steps", type=int, default=600, help="of both rounds together")
    parser.add_argument("--only", help="names of variants, separated by commas; the first is what the others meet")
    parser.add_argument("--json", type=Path, help="keeps each run's Dice; a broken-off program goes on from it")
    parser.add_argument("--quick", action="store_true", help="one seed, two variants, ten steps")
    options = parser.parse_args()
    names = list(VARIANTS)[:2] if options.quick else list(VARIANTS)
    names = options.only.split(",") if options.only else names
    if unknown := sorted(set(names) - set(VARIANTS)):
        parser.error(f"no variant {unknown[0]!r}; there are: {', '.join(VARIANTS)}")
    seeds, steps = (1, 10) if options.quick else (options.seeds, options.steps)
    frames = read_frames()
    trained = [frame for frame in frames if frame[3] == "train"][: options.images]
    frames = trained + [frame for frame in frames if frame[3] == "test"]
    print(f"{len(trained)} training and {len(frames) - len(trained)} test images, {steps} steps, SIMULATED gaze")
    recipe = {"steps": steps, "images": len(trained), **IN_SMALL, "features": list(TINY.features)}
    runs = _kept_runs(options.json, recipe)
    # Seed by seed, so that a program that is broken off leaves whole columns.
    for seed in range(seeds):
        for name in names:
            if f"{name}|{seed}" in runs:
                continue
            began = time.monotonic()
            value = float(np.mean(_scores(_config(name, steps, seed), frames)))
            runs[f"{name}|{seed}"] = value
            print(f"seed {seed}: {name}: Dice {value:.3f} ({time.monotonic() - began:.0f} s)", flush=True)
            if options.json:
                options.json.write_text(json.dumps({"recipe": recipe, "dice": runs}, indent=1))
    _print_table(names, np.array([[runs[f"{name}|{seed}"] for seed in range(seeds)] for name in names]))
    return 0


def _kept_runs(path: Path | None, recipe: dict[str, Any]) -> dict[str, float]:
    if path is None or not path.exists():
        return {}
    kept = json.loads(path.read_text())
    if kept["recipe"] != json.loads(json.dumps(recipe)):
        raise SystemExit(f"{path} holds runs of another recipe: name another file, or remove it.")
    return dict(kept["dice"])


def _print_table(names: list[str], dice_of: np.ndarray) -> None:
    """dice_of: (variants, seeds)."""
    gains = dice_of - dice_of[0]
    seeds = gains.shape[1]
    half = float("nan")
    if seeds > 1 and len(names) > 1:
        freedom = (len(names) - 1) * (seeds - 1)
        pooled = float(np.sqrt(gains[1:].var(axis=1, ddof=1).mean()))
        half = float(t_distribution.ppf(0.975, freedom)) * pooled / seeds**0.5
    print("\n| variant | Dice of each seed | mean | gain against the first row |\n|---|---|---|---|")
    for name, row, gain in zip(names, dice_of, gains, strict=True):
        said = "" if name == names[0] else f"{gain.mean():+.3f}"
        print(f"| {name} | {', '.join(f'{value:.3f}' for value in row)} | {row.mean():.3f} | {said} |")
    print(f"95 % interval of each gain, spread between seeds pooled over all rows: +-{half:.3f}")


def _config(name: str, steps: int, seed: int) -> TrainConfig:
    changes = {**IN_SMALL, **VARIANTS[name]}
    second = changes.pop("self_training_steps", round(steps * SELF_TRAINING_SHARE))
    ramp = changes.pop("consistency_ramp_steps", steps // 3)
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
