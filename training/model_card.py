"""The page that goes with a model: what it was made from, how well it does, what it is not for."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def model_card(description: dict[str, Any]) -> str:
    """Markdown from a model file's description."""
    config, metrics = description["config"], description["metrics"]
    simulated = " from **simulated** gaze" if description["is_simulated"] else ""
    lines = [
        f"# Model: {description['target']}",
        "",
        f"Segments {description['target']} in images like those it was trained on{simulated}.",
        "Not a medical device: a person looks at every mask.",
        "",
        "| | |",
        "|---|---|",
        f"| method | preset {config['preset']}, {len(config['thresholds'])} levels |",
        f"| network | {config['backbone']} at {config['size_px']} px |",
        f"| supervision | {config['supervision']}, thresholds {', '.join(f'{t:g}' for t in config['thresholds'])} |",
        f"| labels | {_labels(description['labels'])} |",
        f"| images | {_images(description)} |",
        f"| shown to the network | {_shown(config)} |",
        f"| data | snapshot {description['snapshot_digest'][:16]} |",
        f"| settings | {description['config_digest']}, all of them in run.json |",
        f"| began from | {_beginning(description)} |",
        f"| steps | {description['step']}, batch {config['batch']}, seed {config['seed']} |",
        f"| computed on | {description['device']}, {description['precision']} |",
        f"| versions | {', '.join(f'{name} {value}' for name, value in description['versions'].items())} |",
        "",
        "## Figures",
        "",
        *_figures(metrics),
        "",
        "## Limits",
        "",
        "* The validation images come from the same study; other hospitals, devices and populations were not tried.",
        "* Probability is not calibrated. Uncertainty is the disagreement of the levels, good for sorting work.",
        *(["* Trained from simulated gaze: figures say nothing about real annotators."] if simulated else []),
        "",
    ]
    return "\n".join(lines)


def _images(description: dict[str, Any]) -> str:
    trained = f"{description['n_train']} to train, of {description['n_cases']} cases"
    return f"{trained}; {description['n_val']} to validate"


def _shown(config: dict[str, Any]) -> str:
    colours = "grey" if config["in_channels"] == 1 else "colour"
    shape = "with its aspect kept" if config["keep_aspect"] else "stretched to a square"
    return f"{colours}, {shape}, {config['normalisation']}"


def _beginning(description: dict[str, Any]) -> str:
    file = description["config"]["weights_file"]
    begun = f"weights of {Path(file).name}" if file else "random weights"
    return begun + (f", after {description['parent']}" if description.get("parent") else "")


def _labels(labels: dict[str, Any]) -> str:
    return f"{labels['source']}, sigma {labels['sigma']:g} ({labels['heatmap_mode']})"


def _figures(metrics: dict[str, Any]) -> list[str]:
    if not metrics:
        return ["No reviewed masks were set aside, so nothing was measured."]
    hausdorff = metrics.get("hausdorff95_px")
    return [
        f"Last averaged weights, no choice by score, {metrics['n']} validation images:",
        "",
        f"* Dice {metrics['dice']:.3f} (95 % interval {metrics['dice_low']:.3f} to {metrics['dice_high']:.3f}, cases)",
        f"* IoU {metrics['iou']:.3f}",
        f"* Hausdorff 95 % {hausdorff:.1f} px" if hausdorff is not None else "* Hausdorff 95 %: not defined",
    ]
