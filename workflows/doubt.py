"""How doubtful a model is of each image, as its last prediction left it; needs no model and no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.errors import BadFileError
from storage.atomic_write import write_text_atomically
from storage.study import Study


@dataclass(frozen=True)
class PredictedImage:
    """One predicted image; `uncertainty` is the disagreement of the levels, 0-1, high = look at it first."""

    image_id: str
    uncertainty: float
    area_share: float


def write_doubts(study: Study, target: str, model: Path, found: Sequence[PredictedImage]) -> None:
    """Keep what a prediction found, in place of what the one before did."""
    rows = [{"image_id": one.image_id, "uncertainty": one.uncertainty, "area_share": one.area_share} for one in found]
    write_text_atomically(doubts_path(study, target), json.dumps({"model": str(model), "images": rows}, indent=1))


def read_doubts(study: Study, target: str) -> tuple[str, list[PredictedImage]]:
    """The model of the last prediction and what it found; nothing where nobody has predicted.

    Raises:
        BadFileError: the list is damaged.
    """
    path = doubts_path(study, target)
    if not path.exists():
        return "", []
    try:
        kept = json.loads(path.read_text("utf-8"))
        return str(kept.get("model", "")), [
            PredictedImage(str(row["image_id"]), float(row["uncertainty"]), float(row["area_share"]))
            for row in kept["images"]
        ]
    except (OSError, ValueError, OverflowError, LookupError, TypeError, AttributeError) as error:
        raise BadFileError(f"{path} is damaged: {error}.", "Predict again to have it made anew.") from error


def doubts_path(study: Study, target: str) -> Path:
    """Where they are kept."""
    safe = "".join(letter if letter.isalnum() else "-" for letter in target)
    return study.folder / "runs" / f"worklist-{safe}.json"
