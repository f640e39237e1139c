"""The models of a study: which one is active and what it replaced. How two compare: `workflows.model_comparison`."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from domain.errors import BadFileError, UserFacingError
from storage.atomic_write import write_text_atomically
from storage.model_file import read_description
from storage.study import Study

_FILE = "active.json"


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


def previous_model(study: Study) -> Path | None:
    """The model that `roll_back` goes back to, None where there is none."""
    history = _history(study)
    return study.folder / history[-2]["path"] if len(history) > 1 else None


def models_of(study: Study) -> list[tuple[Path, bool]]:
    """All models one can predict with, and whether each is the one in use: that one first, then the newest."""
    active = active_model(study)
    kept = [path for path in (study.folder / "models").glob("*.safetensors") if path != active]
    names = {path.stem for path in kept} | ({active.stem} if active is not None else set())
    fresh = [path for path in (study.folder / "runs").glob("*/model.safetensors") if path.parent.name not in names]
    others = sorted([*kept, *fresh], key=lambda path: -path.stat().st_mtime)
    there = [(active, True)] if active is not None and active.is_file() else []
    return [*there, *((path, False) for path in others)]


def _history(study: Study) -> list[dict[str, Any]]:
    path = study.folder / "models" / _FILE
    if not path.exists():
        return []
    try:
        return list(json.loads(path.read_text("utf-8"))["history"])
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise BadFileError(f"{path} is damaged: {error}.", "Remove it and choose a model again.") from error


def _write(study: Study, history: list[dict[str, Any]]) -> None:
    path = study.folder / "models" / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, json.dumps({"version": 1, "history": history}, indent=1))
