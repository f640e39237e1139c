"""Scores on one part of a snapshot, and the example predictions of a run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, Progress, no_progress
from storage.snapshot_file import Snapshot, Split
from training.prediction import Prediction, Predictor
from training.scores import ImageScore, bootstrap_interval, score

_WORST_PX = 480


@dataclass(frozen=True)
class Evaluation:
    """Scores of the images that have a mask, in the masks' own size."""

    split: str
    scores: tuple[ImageScore, ...]
    uncertainty: dict[str, float]

    @property
    def dice(self) -> float:
        """Mean Dice over images."""
        return float(np.mean([s.dice for s in self.scores])) if self.scores else float("nan")

    def worst(self, n: int = 10) -> list[ImageScore]:
        """The images with the lowest Dice."""
        return sorted(self.scores, key=lambda s: s.dice)[:n]

    def summary(self) -> dict[str, Any]:
        """Means and the 95 % interval of the mean Dice, drawn by case."""
        low, high = bootstrap_interval([s.dice for s in self.scores], [s.case for s in self.scores])
        finite = [s.hausdorff95_px for s in self.scores if math.isfinite(s.hausdorff95_px)]
        return {
            "split": self.split,
            "n": len(self.scores),
            "dice": self.dice,
            "dice_low": low,
            "dice_high": high,
            "iou": float(np.mean([s.iou for s in self.scores])),
            "hausdorff95_px": float(np.mean(finite)) if finite else None,
        }

    def as_json(self) -> dict[str, Any]:
        """Summary, all images and the worst ten."""
        rows = []
        for one in self.scores:
            row = asdict(one)
            row["hausdorff95_px"] = one.hausdorff95_px if math.isfinite(one.hausdorff95_px) else None
            rows.append({**row, "uncertainty": self.uncertainty.get(one.item_id)})
        return {
            "summary": self.summary() if self.scores else {},
            "images": rows,
            "worst": [one.item_id for one in self.worst()],
        }


def evaluate(
    predictor: Predictor,
    snapshot: Snapshot,
    split: Split,
    *,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> Evaluation:
    """Predict and score all images of a split that have a mask.

    Raises:
        Cancelled: stopped by the user.
    """
    items = [item for item in snapshot.of_split(split) if item.mask]
    scores: list[ImageScore] = []
    uncertainty: dict[str, float] = {}
    predictions = predictor.predict_many(snapshot.image(item) for item in items)
    for number, (item, prediction) in enumerate(zip(items, predictions, strict=True), start=1):
        truth = snapshot.mask(item)
        if truth is not None:
            scores.append(score(item.item_id, item.case, prediction.mask, truth))
        uncertainty[item.item_id] = prediction.uncertainty
        on_progress(Progress(number, len(items), "evaluating"))
        if cancel is not None:
            cancel.raise_if_cancelled()
    return Evaluation(split, tuple(scores), uncertainty)


def write_previews(predictor: Predictor, snapshot: Snapshot, folder: Path, *, n: int = 4) -> list[Path]:
    """Example predictions as PNG: image, predicted outline (orange), the mask's (blue) where there is one."""
    items = (snapshot.of_split("val") or snapshot.of_split("train"))[:n]
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    images = [snapshot.image(item) for item in items]
    for item, image, prediction in zip(items, images, predictor.predict_many(images), strict=True):
        done, encoded = cv2.imencode(".png", _overlay(image, prediction, snapshot.mask(item))[..., ::-1])
        if done:
            files.append(folder / f"{len(files)}.png")
            files[-1].write_bytes(encoded.tobytes())
    return files


def write_worst(predictor: Predictor, snapshot: Snapshot, found: Evaluation, folder: Path, *, n: int = 10) -> None:
    """The worst predictions as small PNG, 0.png the worst; outlines as in `write_previews`."""
    items = {item.item_id: item for item in snapshot.items}
    chosen = [items[one.item_id] for one in found.worst(n)]
    folder.mkdir(parents=True, exist_ok=True)
    images = [snapshot.image(item) for item in chosen]
    predictions = predictor.predict_many(images)
    for number, (item, image, prediction) in enumerate(zip(chosen, images, predictions, strict=True)):
        drawn = _overlay(image, prediction, snapshot.mask(item))
        scale = min(1.0, _WORST_PX / max(drawn.shape[:2]))
        size = (max(1, round(drawn.shape[1] * scale)), max(1, round(drawn.shape[0] * scale)))
        done, encoded = cv2.imencode(".png", cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)[..., ::-1])
        if done:
            (folder / f"{number}.png").write_bytes(encoded.tobytes())


def _overlay(image: NDArray[np.uint8], prediction: Prediction, truth: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    out = image.copy()
    # Colours of Okabe and Ito, told apart by colour-blind eyes.
    for mask, colour in ((truth, (0, 114, 178)), (prediction.mask, (230, 159, 0))):
        if mask is not None:
            outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(out, outlines, -1, colour, max(1, image.shape[1] // 200))
    return out
