"""The models of a study: which one is active, what it replaced, and how a new one compares before it is chosen."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import BadFileError, UserFacingError
from domain.events import CancelToken, OnProgress, no_progress
from storage.atomic_write import write_text_atomically
from storage.model_file import read_description
from storage.snapshot_file import Snapshot
from storage.study import Study
from training.evaluation import Evaluation, evaluate
from training.prediction import load_model
from training.scores import bootstrap_interval

_FILE = "active.json"


@dataclass(frozen=True)
class Comparison:
    """Two models on the same reviewed images. gain: mean difference in Dice, with its 95 % interval by case."""

    before: Evaluation | None
    after: Evaluation
    gain: float
    gain_low: float
    gain_high: float

    @property
    def is_not_worse(self) -> bool:
        """Whether the interval allows that the new model is at least as good."""
        return self.before is None or self.gain_high >= 0


def active_model(study: Study) -> Path | None:
    """The model that predicts in this study, None where none was chosen."""
    history = _history(study)
    return study.folder / history[-1]["path"] if history else None


def activate(study: Study, model: Path) -> Path:
    """Make a model the active one; it is copied to the study's models, the one before stays for `roll_back`.

    Raises:
        BadFileError: not a model file.
    """
    description = read_description(model, kind="model")
    name = f"{description.get('run') or model.stem}.safetensors"
    kept = study.folder / "models" / name
    if kept.resolve() != model.resolve():
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_name(f".{name}.part")
        shutil.copyfile(model, draft)
        draft.replace(kept)
        card = model.with_name("MODEL_CARD.md")
        if card.exists():
            shutil.copyfile(card, kept.with_suffix(".md"))
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    _write(study, [*_history(study), {"path": f"models/{name}", "since": now}])
    return kept


def roll_back(study: Study) -> Path | None:
    """Go back to the model that was active before; None when there was none.

    Raises:
        UserFacingError: no model is active.
    """
    history = _history(study)
    if not history:
        raise UserFacingError("No model is active, so there is nothing to go back from.", "Choose a model first.")
    _write(study, history[:-1])
    return active_model(study)


def compare(
    study: Study,
    model: Path,
    snapshot: Snapshot,
    *,
    device: str = "auto",
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> Comparison:
    """Before and after on the validation images of the new model's snapshot.

    Raises:
        BadFileError: a model cannot be read.
        UserFacingError: there is no image with a mask to compare on.
        Cancelled: stopped by the user.
    """
    after = evaluate(load_model(model, device=device), snapshot, "val", on_progress=on_progress, cancel=cancel)
    if not after.scores:
        raise UserFacingError("No validation image has a mask.", "Review some masks and freeze the study again.")
    old = active_model(study)
    if old is None:
        return Comparison(None, after, float("nan"), float("nan"), float("nan"))
    before = evaluate(load_model(old, device=device), snapshot, "val", on_progress=on_progress, cancel=cancel)
    gains = [new.dice - last.dice for new, last in zip(after.scores, before.scores, strict=True)]
    low, high = bootstrap_interval(gains, [one.case for one in after.scores])
    return Comparison(before, after, float(np.mean(gains)), low, high)


def _history(study: Study) -> list[dict[str, Any]]:
    path = study.folder / "models" / _FILE
    if not path.exists():
        return []
    try:
        return list(json.loads(path.read_text("utf-8"))["history"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFileError(f"{path} is damaged: {error}.", "Remove it and choose a model again.") from error


def _write(study: Study, history: list[dict[str, Any]]) -> None:
    path = study.folder / "models" / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, json.dumps({"version": 1, "history": history}, indent=1))
