"""A training that was cut off by the end of the application is offered again; one that somebody stopped is not."""

from __future__ import annotations

from pathlib import Path

from storage.study import Study
from training.messages import RunState
from workflows.train_model import RunSummary, runs_of

_STOPPED_BY_CHOICE = "stopped-by-choice"


def interrupted_run(study: Study) -> RunSummary | None:
    """The newest run, where it was cut off before its model was made."""
    newest = next(iter(runs_of(study)), None)
    if newest is None or newest.state is not RunState.STOPPED or newest.has_model:
        return None
    return None if (newest.folder / _STOPPED_BY_CHOICE).exists() else newest


def leave_stopped(run_folder: Path) -> None:
    """Somebody wants it stopped: nobody is asked to resume it."""
    (run_folder / _STOPPED_BY_CHOICE).touch()


def take_up(run_folder: Path) -> None:
    """It goes on: if it is cut off again, it is offered again."""
    (run_folder / _STOPPED_BY_CHOICE).unlink(missing_ok=True)
