"""The demo's report: screenshots, maps, curves and figures on one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.trial import TrialRecord
from storage.study import Study
from training.messages import Event
from workflows.report_page import GREEN, ORANGE, SKY, VERMILION, ReportPage, blend, outline

N_EXAMPLES = 6
SCREEN_WIDTH_PX = 1100


@dataclass(frozen=True)
class ImageScore:
    """Dice of one image against its ground truth: maps at each threshold, and the model's prediction."""

    image_id: str
    split: str
    has_target: bool
    heatmap: tuple[float, ...]
    refined: tuple[float, ...]
    predicted: float | None


@dataclass(frozen=True)
class DemoResult:
    """All that the report shows."""

    study: Study
    is_synthetic: bool
    scores: list[ImageScore]
    trials: list[TrialRecord]
    events: list[Event]
    screens: list[Path]
    seconds: list[tuple[str, float]]
    model: Path


def render_report(result: DemoResult) -> str:
    """The page as HTML."""
    images = "synthetic frames, drawn by rules" if result.is_synthetic else "real images"
    page = ReportPage("Sightline: from gaze to a trained model")
    page.note(f"Simulated gaze on {images}. No person looked; nothing here says how well the method does on patients.")
    page.heading("What was done")
    rows = [(title, f"{seconds:.1f} s") for title, seconds in result.seconds]
    page.table(("step", "time"), [*rows, ("all", f"{sum(s for _, s in result.seconds):.1f} s")])
    _figures(page, result)
    _examples(page, result)
    _training(page, result)
    _screens(page, result)
    page.heading("Where it is")
    page.paragraph(f"Study: {result.study.folder.name}/. Model: {result.model.name}. GazeMedSeg dataset: export/.")
    return page.render()


def summary_lines(scores: Sequence[ImageScore], thresholds: Sequence[float]) -> list[str]:
    """The figures as lines of text, for the terminal."""
    lines = []
    for name, values in _means(scores, thresholds):
        lines.append(f"{name:<34} Dice {values[0]:.3f} (median {values[1]:.3f}, n = {int(values[2])})")
    return lines


def _means(scores: Sequence[ImageScore], thresholds: Sequence[float]) -> list[tuple[str, tuple[float, float, int]]]:
    """Mean, median and count of Dice over the images that show a target, per source and level."""
    shown = [score for score in scores if score.has_target]
    rows = []
    for number, threshold in enumerate(thresholds):
        rows.append((f"heatmap >= {threshold:g}", [score.heatmap[number] for score in shown]))
    for number, threshold in enumerate(thresholds):
        rows.append((f"refined map >= {threshold:g}", [score.refined[number] for score in shown]))
    for split, name in (("train", "model, images it learned from"), ("test", "model, images it never saw")):
        values = [score.predicted for score in shown if score.split == split and score.predicted is not None]
        rows.append((name, values))
    return [(name, (float(np.mean(values)), float(np.median(values)), len(values))) for name, values in rows if values]


def _figures(page: ReportPage, result: DemoResult) -> None:
    page.heading("Dice against the ground truth")
    thresholds = result.study.settings.labels.thresholds
    rows = [(name, mean, median, n) for name, (mean, median, n) in _means(result.scores, thresholds)]
    page.table(("source", "mean", "median", "images"), rows)
    page.paragraph("Means over the images that show a target. Levels are thresholds of the map, 0-1.")
    page.heading("Recording (simulated)")
    n_samples = sum(trial.quality.n_samples for trial in result.trials)
    n_fixations = sum(len(trial.fixations) for trial in result.trials)
    loss = float(np.mean([trial.quality.loss for trial in result.trials])) if result.trials else 0.0
    no_target = sum(trial.outcome.value == "no target" for trial in result.trials)
    page.table(
        ("trials", "no target", "gaze samples", "fixations", "mean data loss"),
        [(len(result.trials), no_target, n_samples, n_fixations, f"{loss:.1%}")],
    )


def _examples(page: ReportPage, result: DemoResult) -> None:
    page.heading("Gaze to label to prediction")
    page.paragraph(
        "Each row: image with fixations (circle area = duration), heatmap, refined map, levels (orange, blue) with the "
        "ground truth (green), prediction (vermilion) with the ground truth. The first rows were never trained on."
    )
    shown = {score.image_id: score for score in result.scores if score.has_target}
    trials = [trial for trial in result.trials if trial.image_id in shown]
    trials.sort(key=lambda trial: shown[trial.image_id].split != "test")
    pictures = []
    for trial in trials[:N_EXAMPLES]:
        score = shown[trial.image_id]
        caption = f"{trial.image_id} ({score.split}): refined map {max(score.refined):.2f}"
        caption += f", prediction {score.predicted:.2f}" if score.predicted is not None else ""
        pictures.append((_strip(result.study, trial), caption))
    page.pictures(pictures, wide=True)


def _strip(study: Study, trial: TrialRecord) -> NDArray[np.uint8]:
    """Five pictures of one trial side by side."""
    image = study.pixels(trial.image_id).display_u8()
    truth, maps = study.ground_truth(trial.image_id), study.maps(trial.trial_id)
    predicted = study.mask(trial.image_id, "model", trial.target)
    if truth is None or maps is None:
        raise ValueError(f"{trial.image_id} has no ground truth or no maps")
    levels = image
    for level, colour in zip(maps.levels, (ORANGE, SKY, VERMILION, ORANGE, SKY), strict=False):
        levels = outline(levels, level, colour)
    last = outline(image, predicted, VERMILION) if predicted is not None else image
    parts = [
        _with_fixations(image, trial),
        blend(image, maps.heatmap),
        blend(image, maps.refined),
        outline(levels, truth, GREEN),
        outline(last, truth, GREEN),
    ]
    height = 240
    scaled = [cv2.resize(part, (round(part.shape[1] * height / part.shape[0]), height)) for part in parts]
    return np.ascontiguousarray(np.hstack(scaled), np.uint8)


def _with_fixations(image: NDArray[np.uint8], trial: TrialRecord) -> NDArray[np.uint8]:
    drawn = image.copy()
    height, width = image.shape[:2]
    places = np.round(trial.fixations.xy_norm * (width, height)).astype(int)
    radii = np.maximum(2, np.sqrt(trial.fixations.duration_ms) * width / 1400).astype(int)
    for (x, y), radius in zip(places.tolist(), radii.tolist(), strict=True):
        cv2.circle(drawn, (x, y), radius, (255, 255, 255), max(1, width // 400), cv2.LINE_AA)
    cv2.polylines(drawn, [places.reshape(-1, 1, 2)], False, (230, 230, 230), 1, cv2.LINE_AA)
    return drawn


def _training(page: ReportPage, result: DemoResult) -> None:
    page.heading("Training")
    steps = [event for event in result.events if event.get("event") == "step"]
    page.curves(
        {"loss": ([float(event["step"]) for event in steps], [float(event["loss"]) for event in steps])},
        x_label="step",
        y_label="loss",
    )
    marks = [event for event in result.events if event.get("event") == "evaluation"]
    if marks:
        x_values = [float(event["step"]) for event in marks]
        page.curves(
            {"validation Dice": (x_values, [float(event["dice"]) for event in marks])}, x_label="step", y_label="Dice"
        )


def _screens(page: ReportPage, result: DemoResult) -> None:
    page.heading("Screens")
    pictures = []
    for path in result.screens:
        data = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if data is None:
            continue
        width = min(SCREEN_WIDTH_PX, data.shape[1])
        small = cv2.resize(data, (width, round(data.shape[0] * width / data.shape[1])), interpolation=cv2.INTER_AREA)
        pictures.append(
            (np.ascontiguousarray(small[..., ::-1], np.uint8), path.stem.replace("_", " ").replace("-", " "))
        )
    page.pictures(pictures, wide=True)
