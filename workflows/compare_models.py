"""Two models on the same reviewed images: `python -m workflows.compare_models` with JSON on stdin.

It runs in a process of its own: what it takes of a GPU is given back when it ends. The application asks through
`workflows.model_comparison`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from domain.errors import UserFacingError
from storage.snapshot_file import Snapshot, read_snapshot
from training.evaluation import evaluate
from training.prediction import load_model
from training.scores import bootstrap_interval
from workflows.model_comparison import Comparison


def compare(model: Path, before: Path | None, snapshot: Snapshot, *, device: str = "auto") -> Comparison:
    """Before and after on the validation images.

    Raises:
        BadFileError: a model cannot be read.
        UserFacingError: there is no image with a mask to compare on.
    """
    after = evaluate(load_model(model, device=device), snapshot, "val")
    if not after.scores:
        raise UserFacingError("No validation image has a mask.", "Review some masks and train again.")
    if before is None:
        return Comparison(len(after.scores), after.dice)
    old = evaluate(load_model(before, device=device), snapshot, "val")
    gains = [new.dice - last.dice for new, last in zip(after.scores, old.scores, strict=True)]
    low, high = bootstrap_interval(gains, [one.case for one in after.scores])
    return Comparison(len(after.scores), after.dice, old.dice, float(np.mean(gains)), low, high)


def main() -> int:
    """Read the question from stdin, write the comparison or the refusal as JSON."""
    asked = json.load(sys.stdin)
    before = Path(asked["before"]) if asked["before"] else None
    try:
        found = compare(Path(asked["model"]), before, read_snapshot(Path(asked["snapshot"])), device=asked["device"])
        answer = asdict(found)
    except UserFacingError as error:
        answer = {"refused": [error.message, error.hint]}
    sys.stdout.write(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
