"""One click from a study to a model: freeze, choose what fits, train in an own process."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import BadFileError, Cancelled
from domain.events import CancelToken, OnProgress, no_progress, share_of
from storage.study import Study
from training.config import TrainConfig, preset
from training.messages import Event, RunState
from training.prediction_of_cost import Reason, has_gpu, suggested_preset
from training.run_folder import RunFolder
from training.supervisor import TrainingRun
from workflows.freeze_study import freeze_study, images_with_gaze
from workflows.label_choice import chosen_labels, keep_choice

OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class RunSummary:
    """One line in the history of runs."""

    name: str
    folder: Path
    state: RunState
    preset: str
    step: int
    total: int
    dice: float | None
    has_model: bool


@dataclass(frozen=True)
class RunCurves:
    """How a run went. steps: the rows of its metrics, each with "step"; dice: (split, step, Dice)."""

    steps: list[dict[str, float]]
    dice: list[tuple[str, int, float]]


def start_training(
    study: Study,
    *,
    preset_name: str = "tiny",
    changes: dict[str, Any] | None = None,
    target: str = "",
    chooses_labels: bool = False,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> TrainingRun:
    """Freeze the study and start a run on it; the study may go on being edited.

    The thresholds of the labels hold unless `changes` names others. chooses_labels: compare the label sources on the
    training images that have masks first, and learn from a clearly better one; what was found is kept in the run's
    folder.

    Raises:
        UserFacingError: unknown preset or setting, or nothing to train on.
        Cancelled: stopped before the start; nothing is left.
    """
    study.require("train")
    config = training_config(study, preset_name, changes or {})
    # One bar for both parts: the comparison takes most of the time, where there is one.
    compared = 0.7 if chooses_labels else 0.0
    choice = None
    if chooses_labels:
        listens = share_of(on_progress, 0.0, compared)
        choice = chosen_labels(study, target=target, on_progress=listens, cancel=cancel)
    labels = choice.labels if choice is not None and choice.is_other else None
    if labels is not None:
        config = preset(preset_name, **{"thresholds": labels.thresholds, **(changes or {})})
    folder = new_run_folder(study, preset_name)
    listens = share_of(on_progress, compared, 1.0)
    freeze_study(study, folder / "snapshot", target=target, labels=labels, on_progress=listens, cancel=cancel)
    if choice is not None:
        keep_choice(folder, choice)
    return TrainingRun.start(config, folder / "snapshot", folder)


def suggested_training(study: Study, *, cancel: CancelToken | None = None) -> tuple[str, Reason]:
    """The preset for this study on this machine, and why; asks a process of its own for a GPU.

    Raises:
        UserFacingError: it cannot be told.
        Cancelled: stopped by the user.
    """
    return suggested_preset(len(images_with_gaze(study)), has_gpu=has_gpu(cancel=cancel))


def training_config(study: Study, preset_name: str, changes: dict[str, Any]) -> TrainConfig:
    """A preset with the study's thresholds and the changes of the user.

    Raises:
        UserFacingError: unknown preset or setting, or a value out of range.
    """
    return preset(preset_name, **{"thresholds": study.settings.labels.thresholds, **changes})


def new_run_folder(study: Study, preset_name: str) -> Path:
    """A folder for a run that does not exist yet: runs/NNN-preset."""
    runs = study.folder / "runs"
    numbers = [int(found.group(1)) for path in runs.glob("*") if (found := re.match(r"(\d+)", path.name))]
    return runs / f"{max(numbers, default=0) + 1:03d}-{preset_name}"


def train_study(
    study: Study,
    *,
    preset_name: str = "tiny",
    changes: dict[str, Any] | None = None,
    target: str = "",
    on_progress: OnProgress = no_progress,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> Path:
    """Train and wait; the path of the model file.

    Raises:
        UserFacingError: refused or failed, with the reason.
        Cancelled: stopped; the run can be resumed.
    """
    run = start_training(
        study, preset_name=preset_name, changes=changes, target=target, on_progress=on_progress, cancel=cancel
    )
    return follow(run, on_event=on_event, cancel=cancel)


def follow(run: TrainingRun, *, on_event: OnEvent | None = None, cancel: CancelToken | None = None) -> Path:
    """Hear a run out; the path of its model file.

    Raises:
        UserFacingError: it failed, with the reason.
        Cancelled: it was stopped.
    """
    is_stopping = False
    try:
        while True:
            for event in run.poll():
                if on_event:
                    on_event(event)
            if cancel is not None and cancel.is_cancelled and not is_stopping:
                is_stopping = True
                run.stop()
            try:
                state = run.wait(0.1)
                break
            except TimeoutError:
                continue
    except KeyboardInterrupt:
        run.stop()
        run.wait(30)
        raise
    for event in run.poll():
        if on_event:
            on_event(event)
    run.raise_if_failed()
    if state is RunState.STOPPED:
        raise Cancelled
    return run.folder.model


def runs_of(study: Study) -> list[RunSummary]:
    """All runs of a study, newest first."""
    return runs_in(study.folder / "runs")


def runs_in(folder: Path) -> list[RunSummary]:
    """All runs in a folder, newest first; a folder that holds none is passed over."""
    summaries = []
    for path in sorted(folder.glob("*/run.json"), reverse=True):
        try:
            summaries.append(_summary(RunFolder(path.parent)))
        except BadFileError:
            continue
    return summaries


def curves_of(folder: Path) -> RunCurves:
    """Loss and Dice of a run so far; a run that was resumed gives each step once."""
    paths = RunFolder(folder)
    dice = {
        (str(event.get("split", "val")), int(event["step"])): float(event["dice"])
        for event in _events(paths)
        if event.get("event") == "evaluation" and isinstance(event.get("dice"), (int, float))
    }
    return RunCurves(paths.rows(), [(split, step, value) for (split, step), value in sorted(dice.items())])


def _summary(paths: RunFolder) -> RunSummary:
    config = paths.config()
    rows = paths.rows()
    return RunSummary(
        name=paths.folder.name,
        folder=paths.folder,
        state=_last_state(paths),
        preset=config.preset,
        step=int(rows[-1]["step"]) if rows else 0,
        total=config.total_steps,
        dice=_last_dice(paths),
        has_model=paths.model.exists(),
    )


def _last_state(paths: RunFolder) -> RunState:
    """The state that the events end in; a run that fell silent in the middle was stopped from outside."""
    state = RunState.QUEUED
    for event in _events(paths):
        if event.get("event") == "state":
            state = RunState(str(event["state"]))
    is_fresh = paths.metrics.exists() and time.time() - paths.metrics.stat().st_mtime < 30
    return state if state.is_final or is_fresh else RunState.STOPPED


def _last_dice(paths: RunFolder) -> float | None:
    found = [event.get("dice") for event in _events(paths) if event.get("event") == "evaluation"]
    return float(found[-1]) if found and isinstance(found[-1], (int, float)) else None


def _events(paths: RunFolder) -> list[Event]:
    if not paths.events.exists():
        return []
    events: list[Event] = []
    for line in paths.events.read_text("utf-8", errors="replace").splitlines():
        # A killed worker may leave half a line.
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            events.append(value)
    return events
