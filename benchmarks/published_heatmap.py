"""The published heatmap, step by step and slow: an independent form written from the description of the notebooks."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from domain.fixations import ImageFixations

CANVAS = 768


def published_u8(rows: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """8-bit map of rows (x, y, duration) for an image (width, height)."""
    canvas = np.zeros((CANVAS, CANVAS), np.float32)
    for x, y, duration in rows:
        canvas[round(float(y) * CANVAS) - 1, round(float(x) * CANVAS) - 1] += np.float32(duration)
    canvas = ndimage.gaussian_filter(canvas, sigma)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        canvas = (canvas - np.min(canvas)) / ((np.max(canvas) - np.min(canvas)) * 1.0)
        half = cv2.resize(canvas, dsize=size, interpolation=cv2.INTER_CUBIC).astype(np.float16)
        return (half * 255).astype(np.uint8)


def simulated_rows(seed: int) -> np.ndarray:
    """SIMULATED fixations (n, 3) of one trial: 1 to 60 around one place, 50 to 900 ms each."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 61))
    centre, spread = rng.uniform(0.2, 0.8, 2), rng.uniform(0.01, 0.3)
    return np.column_stack([np.clip(rng.normal(centre, spread, (n, 2)), 0.002, 1.0), rng.integers(50, 900, n)])


def table_rows(path: Path) -> dict[str, tuple[tuple[int, int], np.ndarray]]:
    """(size, rows (n, 3)) of each image in a table of GazeMedSeg's nine columns."""
    sizes: dict[str, tuple[int, int]] = {}
    places: dict[str, list[list[float]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            sizes[row["IMAGE"]] = (int(row["IMAGE_WIDTH"]), int(row["IMAGE_HEIGHT"]))
            values = [float(row[f"CURRENT_FIX_{key}"]) for key in ("X", "Y", "DURATION")]
            places.setdefault(row["IMAGE"], []).append(values)
    return {name: (sizes[name], np.array(places[name])) for name in places}


def as_fixations(rows: np.ndarray) -> ImageFixations:
    """Rows (x, y, duration) as fixations on an image."""
    n = len(rows)
    return ImageFixations(rows[:, :2], rows[:, 2], np.zeros(n), np.full(n, np.nan))
