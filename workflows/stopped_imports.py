"""What an import leaves behind whose process was killed: found by the next import, and taken away."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import psutil

from storage.study import Study

_log = logging.getLogger(__name__)
STAGING = ".import-"
_MOVES = "moves.json"
_OWNER = re.compile(r"([0-9a-f]{8})-(\d+)-[0-9a-f]{8}$")


def owned_name(prefix: str) -> str:
    """A new name that says which process of which machine works there."""
    return f"{prefix}{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def note_moves(staging: Path, files: Sequence[Path]) -> None:
    """Write down which files are about to be moved into the study: whoever tidies up needs to tell them from others."""
    (staging / _MOVES).write_text(json.dumps([path.as_posix() for path in files]), encoding="utf-8")


def clear_stopped_imports(study: Study) -> int:
    """Remove what killed imports left in a study: their folders, and files that were moved but never entered.

    Returns how many imports those were. An import that runs now, here or on another machine, is left alone.
    """
    left = _abandoned(study.folder, STAGING)
    if not left:
        return 0
    known = {path for image in study.images() for path in (image.path, image.mask_path) if path}
    known |= {trial.session_file for trial in study.trials() if trial.session_file}
    for staging in left:
        for path in _moves(staging):
            if path.is_relative_to(study.folder) and study.relative(path) not in known:
                path.unlink(missing_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        _log.warning("an import that was stopped from outside was cleared away")
    return len(left)


def clear_stopped_studies(place: Path) -> None:
    """Remove the half studies that killed imports left beside the folder of a new study, with their keys."""
    for half in _abandoned(place.parent, f".{place.name}-"):
        shutil.rmtree(half, ignore_errors=True)
        shutil.rmtree(half.with_name(f"{half.name}-keys"), ignore_errors=True)


def _abandoned(folder: Path, prefix: str) -> list[Path]:
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        owner = _OWNER.fullmatch(path.name[len(prefix) :]) if path.name.startswith(prefix) else None
        if owner is not None and owner[1] == _machine() and not psutil.pid_exists(int(owner[2])):
            found.append(path)
    return found


def _moves(staging: Path) -> list[Path]:
    try:
        names = json.loads((staging / _MOVES).read_text(encoding="utf-8"))
        return [Path(str(name)) for name in names]
    except (OSError, ValueError, TypeError):  # killed before or while it was written: nothing was moved yet
        return []


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]
