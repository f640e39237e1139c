from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from domain.labels import LabelParameters
from storage.snapshot_file import Snapshot, SnapshotSource, SnapshotWriter
from training.config import TrainConfig, preset


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def blob(seed: int, size: tuple[int, int] = (72, 90)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A synthetic frame, its mask, and a blurred map as gaze would leave it (simulated)."""
    height, width = size
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    centre = rng.uniform(0.3, 0.7, 2) * size
    radii = rng.uniform(0.12, 0.25, 2) * size
    mask = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 < 1
    image = rng.normal((150, 90, 80), 10, (height, width, 3))
    image[mask] += (35, 25, -10)
    image = cv2.GaussianBlur(np.clip(image, 0, 255).astype(np.uint8), (5, 5), 1)
    heat = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 5)
    return image, mask, heat / heat.max()


def write_snapshot(folder: Path, n_train: int = 10, n_val: int = 3) -> Snapshot:
    with SnapshotWriter(folder, target="polyp", labels=LabelParameters(), is_simulated=True) as writer:
        for number in range(n_train + n_val):
            image, mask, heat = blob(number)
            split = "val" if number >= n_train else "train"
            writer.add(
                SnapshotSource(f"frame-{number}", image, [heat], mask, "reference", case=f"case-{number}", split=split)
            )
        return writer.finish()


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return write_snapshot(tmp_path_factory.mktemp("snapshots") / "snapshot")


@pytest.fixture
def small() -> TrainConfig:
    """A preset small enough for a step in hundredths of a second."""
    return preset(
        "tiny",
        features=(4, 8, 8, 8, 8, 8),
        feature_dim=8,
        size_px=32,
        batch=4,
        steps=6,
        consistency_ramp_steps=0,
        warm_up_steps=0,
        threads=1,
        checkpoint_every=2,
        evaluate_every=0,
        device="cpu",
    )
