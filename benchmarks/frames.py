"""Synthetic frames with exact masks and simulated maps, for benchmarks that need no real data."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from domain.study import Role
from domain.trial import TrialRecord
from storage.snapshot_file import Snapshot, SnapshotSource, SnapshotWriter
from storage.study import Study
from workflows.sample_study import open_sample_study


def synthetic_snapshot(folder: Path, *, n_train: int, n_val: int, size: tuple[int, int]) -> Snapshot:
    """Ellipses on noise, their maps the mask blurred as gaze would leave it (simulated)."""
    with SnapshotWriter(folder, target="ellipse", labels=LabelParameters(), is_simulated=True) as writer:
        for number in range(n_train + n_val):
            rng = np.random.default_rng(number)
            rows, columns = np.mgrid[: size[0], : size[1]]
            centre, radii = rng.uniform(0.3, 0.7, 2) * size, rng.uniform(0.12, 0.25, 2) * size
            mask = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 < 1
            image = rng.normal((150, 90, 80), 10, (*size, 3))
            image[mask] += (35, 25, -10)
            heat = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.06 * max(size))
            frame = np.clip(image, 0, 255).astype(np.uint8)
            split = "val" if number >= n_train else "train"
            writer.add(SnapshotSource(f"frame-{number}", frame, [heat / heat.max()], mask, "reference", split=split))
        return writer.finish()


def study_with_labels(folder: Path, *, n_images: int) -> Study:
    """The sample study with the blurred truth as the map of every image, as gaze would leave it (simulated)."""
    study = open_sample_study(folder, n_frames=n_images)
    study.add_annotator("anna", Role.ADMIN)
    fixations = ImageFixations(np.array([[0.5, 0.5]]), np.array([300.0]), np.zeros(1), np.ones(1))
    for image in study.images():
        truth = study.ground_truth(image.image_id)
        if truth is None or not truth.any():
            continue
        heat = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 9)
        trial = f"t-{image.image_id}"
        study.save_trial(TrialRecord(trial, image.image_id, "anna", "polyp", fixations=fixations, is_simulated=True))
        study.save_maps(trial, LabelMaps(heat, heat / heat.max(), LabelParameters()))
    return study
