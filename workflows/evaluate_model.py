"""The locked test part: a model is scored on it once, and every look is counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, no_progress
from storage.atomic_write import write_text_atomically
from storage.snapshot_file import read_snapshot
from training.evaluation import Evaluation, evaluate
from training.prediction import load_model
from training.run_folder import RunFolder

_FILE = "test-evaluations.json"


@dataclass(frozen=True)
class TestLook:
    """One evaluation on the test part; `number` counts all looks at this snapshot's test images."""

    # pytest collects classes whose name begins with Test unless told not to.
    __test__ = False

    number: int
    result: Evaluation


def evaluate_on_test(
    run_folder: Path,
    *,
    again: bool = False,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> TestLook:
    """Score a run's model on the test images of its snapshot; refused the second time unless `again`.

    Whoever looks at the test part several times and keeps the best has no test part left; so looks are counted in the
    snapshot's folder, over all runs.

    Raises:
        UserFacingError: no test images with masks, or this run was tested already.
    """
    paths = RunFolder(run_folder)
    snapshot = read_snapshot(Path(paths.read()["snapshot"]))
    ledger = snapshot.folder / _FILE
    looks: list[dict[str, Any]] = json.loads(ledger.read_text("utf-8")) if ledger.exists() else []
    if not again and any(look["run"] == run_folder.name for look in looks):
        raise UserFacingError(
            f"{run_folder.name} was tested already; its figures are in {ledger}.",
            "A second look is possible, but it will be counted.",
        )
    result = evaluate(load_model(paths.model), snapshot, "test", on_progress=on_progress, cancel=cancel)
    if not result.scores:
        raise UserFacingError("The snapshot has no test images with masks.", "Set some images aside as test.")
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    looks.append({"run": run_folder.name, "at": now, **result.as_json()})
    write_text_atomically(ledger, json.dumps(looks, indent=1))
    return TestLook(len(looks), result)
