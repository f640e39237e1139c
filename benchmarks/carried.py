"""The images that `benchmarks.prepare_carry` made, as training caches; gaze is SIMULATED."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from training.config import TrainConfig
from training.data_cache import DataCache
from training.preprocess import Preprocess
from training.supervision import planes_from_square

CARRY = Path(__file__).resolve().parent.parent / "carry"
# Pure-Python packages for a machine that lacks them; what is installed comes first.
sys.path.append(str(CARRY / "packages"))


def cache_of(frames: list[Any], config: TrainConfig) -> DataCache:
    """The training part as a cache, without the product's snapshot files."""
    shape = Preprocess.of(config)
    rows = [(image, values) for image, _, values, part in frames if part == "train"]
    planes = [planes_from_square(shape.square_map(values).numpy(), config) for _, values in rows]
    targets = torch.from_numpy(np.stack([np.round(p.targets * 255).astype(np.uint8) for p in planes]))
    weights = None
    if planes[0].weights is not None:
        weights = torch.from_numpy(np.stack([np.round(p.weights * 255).astype(np.uint8) for p in planes]))
    inside = torch.stack([shape.inside(*image.shape[:2]) for image, _ in rows]) if config.keep_aspect else None
    image = torch.stack([shape.square_u8(image) for image, _ in rows])
    return DataCache(image, targets, weights, inside, tuple(str(i) for i in range(len(rows))))


HOW = "`python -m benchmarks.prepare_carry` makes it from the shared data (SIGHTLINE_DATA)"


def read_frames(folder: Path = CARRY) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, str]]:
    """Image, mask, map and part of each carried image.

    Raises:
        SystemExit: they are not there, with what makes them.
    """
    try:
        split = json.loads((folder / "split.json").read_text())
    except OSError as error:
        raise SystemExit(f"{folder.name}/ is not there: {HOW}.") from error
    except ValueError as error:
        raise SystemExit(f"{folder.name}/split.json is damaged: {HOW} anew.") from error
    frames = []
    for name, part in split.items():
        image = cv2.imread(str(folder / "images" / f"{name}.jpg"))
        mask = cv2.imread(str(folder / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        values = cv2.imread(str(folder / "maps" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        if image is None or mask is None or values is None:
            raise SystemExit(f"{folder.name}/ lacks {name}: {HOW} anew.")
        frames.append((np.ascontiguousarray(image[..., ::-1]), mask > 127, values.astype(np.float32) / 255, part))
    return frames
