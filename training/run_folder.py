"""What a run leaves on disk: its settings, its curve, its events, its checkpoints, its model.

run.json            configuration, snapshot, hashes of both and of the weights it begins with, seed, versions,
                    time (UTC), command line, parent model
metrics.csv         one row per report, append-only
events.jsonl        everything the worker said, for a reopened application
log.txt             the worker's stderr
evaluation.json     scores per image
previews/           example predictions
worst/              the validation images with the lowest Dice, in the order of evaluation.json
checkpoints/        two generations
model.safetensors, MODEL_CARD.md
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import platform
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from domain.errors import BadFileError, UserFacingError
from domain.version import VERSION
from storage.atomic_write import write_text_atomically
from training.config import TrainConfig

RUN_FILE = "run.json"
_PACKAGES = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "segmentation-models-pytorch",
    "timm",
    "triton",
)


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    folder: Path

    @property
    def model(self) -> Path:
        """The model that the run leaves."""
        return self.folder / "model.safetensors"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.folder / "MODEL_CARD.md"

    @property
    def metrics(self) -> Path:
        """The curve."""
        return self.folder / "metrics.csv"

    @property
    def events(self) -> Path:
        """All events as JSON lines."""
        return self.folder / "events.jsonl"

    @property
    def log(self) -> Path:
        """The worker's stderr."""
        return self.folder / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """The folder of the two checkpoints."""
        return self.folder / "checkpoints"

    @property
    def previews(self) -> Path:
        """The folder of the example predictions."""
        return self.folder / "previews"

    @property
    def worst(self) -> Path:
        """The folder of the worst predictions."""
        return self.folder / "worst"

    @property
    def evaluation(self) -> Path:
        """Scores per image."""
        return self.folder / "evaluation.json"

    def create(self, config: TrainConfig, snapshot: Path, snapshot_digest: str, *, parent: str = "") -> None:
        """Make the folder of a new run.

        Raises:
            UserFacingError: there is a run in it already.
        """
        if (self.folder / RUN_FILE).exists():
            raise UserFacingError(f"{self.folder} holds a run already.", "Resume it, or choose another folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(
            self.folder / RUN_FILE,
            {
                "format": "sightline training run",
                "version": 1,
                "config": config.as_json(),
                "config_digest": config.digest(),
                "snapshot": os.path.abspath(snapshot),
                "snapshot_digest": snapshot_digest,
                "weights_sha256": _hash_of(config.weights_file),
                "seed": config.seed,
                "parent": parent,
                "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "command": [Path(sys.executable).name, *self.command()[1:]],
                "sightline": VERSION,
                "python": platform.python_version(),
                "packages": _versions(),
                "system": f"{platform.system()} {platform.machine()}",
            },
        )

    def read(self) -> dict[str, Any]:
        """The content of run.json.

        Raises:
            BadFileError: there is no run here.
        """
        path = self.folder / RUN_FILE
        try:
            return dict(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, OverflowError, TypeError) as error:
            raise BadFileError(f"{path} is not a training run: {error}.", "Start a new run.") from error

    def config(self) -> TrainConfig:
        """The run's configuration."""
        try:
            return TrainConfig.from_json(self.read()["config"])
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise BadFileError(f"{self.folder / RUN_FILE} is damaged: {error}.", "Start a new run.") from error

    def command(self, *, is_resumed: bool = False) -> list[str]:
        """The worker's command; with `--supervised` it is what the application starts."""
        resumed = ["--resume"] if is_resumed else []
        return [sys.executable, "-m", "training.worker", os.path.abspath(self.folder), *resumed]

    def rows(self) -> list[dict[str, float]]:
        """The curve as it is so far; an unfinished last line is left out."""
        if not self.metrics.exists():
            return []
        with self.metrics.open(newline="", encoding="utf-8") as stream:
            rows = []
            for row in csv.DictReader(stream):
                try:
                    rows.append({key: float(value) for key, value in row.items() if value})
                except (TypeError, ValueError, OverflowError):
                    continue
            return rows


def _versions() -> dict[str, str]:
    """Of what decides the numbers; asked of the installation, since torch is not imported here."""
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _hash_of(path: str) -> str:
    """SHA-256 of a file, empty for none and for one that cannot be read: the worker says that in words."""
    if not path:
        return ""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as stream:
            for part in iter(lambda: stream.read(1 << 20), b""):
                digest.update(part)
    except OSError:
        return ""
    return digest.hexdigest()


class MetricsFile:
    """Appends rows to metrics.csv; rows beyond the step that a resumed run begins with are dropped."""

    def __init__(self, path: Path, columns: list[str], *, from_step: int) -> None:
        self._columns = columns
        kept: list[dict[str, str]] = []
        if path.exists():
            with path.open(newline="", encoding="utf-8") as stream:
                kept = [row for row in csv.DictReader(stream) if (row.get("step") or "").isdigit()]
        draft = path.with_suffix(".part")
        with draft.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in kept if int(row["step"]) <= from_step)
        os.replace(draft, path)
        self._stream = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._stream, columns, extrasaction="ignore", restval="")

    def add(self, row: dict[str, Any]) -> None:
        """One row; unknown keys are left out."""
        self._writer.writerow(row)
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def write_json(path: Path, values: Any) -> None:  # any JSON value
    """Write beside and replace."""
    write_text_atomically(path, json.dumps(values, indent=1))
