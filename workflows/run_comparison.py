"""What runs leave to look at: their worst images, and in what two or more of them differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import BadFileError
from training.run_folder import RunFolder

# Settings that say where a run was computed, not what it learned.
_WITHOUT_EFFECT = {"device", "threads", "checkpoint_every", "evaluate_every", "micro_batch"}


@dataclass(frozen=True)
class WorstImage:
    """One of the validation images that a run's model predicts worst. picture: with both outlines, PNG."""

    image_id: str
    dice: float
    picture: Path


@dataclass(frozen=True)
class Difference:
    """One setting with its value in each run, in words."""

    name: str
    values: tuple[str, ...]


def worst_images(run_folder: Path) -> list[WorstImage]:
    """The worst validation images of a finished run, the worst first; none where no image had a mask."""
    paths = RunFolder(run_folder)
    try:
        found = json.loads(paths.evaluation.read_text("utf-8"))
        dice = {str(row["item_id"]): float(row["dice"]) for row in found["images"]}
        return [
            WorstImage(str(name), dice[str(name)], paths.worst / f"{number}.png")
            for number, name in enumerate(found["worst"])
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise BadFileError(f"{paths.evaluation} is damaged: {error}.", "Train again to have it made anew.") from error


def differences(run_folders: Sequence[Path]) -> list[Difference]:
    """The settings in which runs differ: of the training, of the labels, and whether they saw the same data.

    Raises:
        BadFileError: a folder holds no run.
    """
    facts = [_facts(RunFolder(folder)) for folder in run_folders]
    names = dict.fromkeys(name for each in facts for name in each)
    rows = [Difference(name, tuple(_words(each.get(name)) for each in facts)) for name in names]
    return [row for row in rows if len(set(row.values)) > 1]


def _facts(paths: RunFolder) -> dict[str, Any]:
    record = paths.read()
    config = paths.config().as_json()
    facts = {name: value for name, value in config.items() if name not in _WITHOUT_EFFECT}
    facts |= {f"labels: {name}": value for name, value in _labels_of(record).items()}
    # Two snapshots of an unchanged study have one hash.
    facts["data"] = str(record.get("snapshot_digest", ""))[:8]
    facts["sightline"] = record.get("sightline", "")
    return facts


def _labels_of(record: dict[str, Any]) -> dict[str, Any]:
    """How the labels of a run's snapshot were made; nothing where the snapshot is gone."""
    try:
        index = json.loads((Path(str(record["snapshot"])) / "snapshot.json").read_text("utf-8"))
        return dict(index["labels"])
    except (OSError, ValueError, OverflowError, KeyError, TypeError):
        return {}


def _words(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(_words(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
