"""Labels for all trials of a study: heatmaps and refined maps, made in a pool of processes or on a Dask cluster.

Can be stopped at any time and goes on where it was: a trial whose stored maps were made from the same fixations, image
and parameters is left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.labels import LabelMaps, LabelParameters
from domain.study import Outcome, StudyImage, TrialStatus
from domain.trial import TrialRecord
from domain.version import VERSION
from processing.labels import make_label_maps, no_target_maps
from processing.refiner import Refiner, refiners
from storage.session_file import read_session
from storage.study import Study
from workflows.worker_pool import worker_pool

WITHOUT_LABEL = (TrialStatus.NEW, TrialStatus.IN_PROGRESS, TrialStatus.SKIPPED)
FEW_TRIALS = 4
"""Up to so many trials are made in this process: starting others would take longer."""


@dataclass(frozen=True)
class LabelReport:
    """What `make_labels` did. failures: (trial_id, what went wrong)."""

    n_made: int = 0
    n_current: int = 0
    n_with_warnings: int = 0
    seconds: float = 0.0
    failures: tuple[tuple[str, str], ...] = field(default=())

    @property
    def per_second(self) -> float:
        """Trials made per second."""
        return self.n_made / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class _Made:
    trial_id: str
    n_warnings: int = 0
    failure: str = ""


def make_labels(
    study: Study,
    *,
    trial_ids: Sequence[str] = (),
    again: bool = False,
    workers: int | None = None,
    scheduler: str = "",
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> LabelReport:
    """Make the maps of all trials with the study's own label parameters.

    Args:
        study: open; the workers open it again for themselves.
        trial_ids: only these; none means the newest trial of every image, annotator and target.
        again: also what is up to date.
        workers: processes; None takes one per core. Give 1 while a recording runs: the work stays in this process.
        scheduler: address of a Dask scheduler whose workers see the study folder under the same path.
        on_progress: hears of each trial, with rate and remaining time.
        cancel: stops; what was made stays, and the next call goes on from there.

    Raises:
        UserFacingError: an unknown label source, or a worker process was killed.
        MissingPackageError: a scheduler is given and Dask is not installed.
        Cancelled: stopped.
    """
    parameters = study.settings.labels
    refiners.get(parameters.source)  # an unknown source is told once, not for every trial
    waiting, n_current = _work_to_do(study, parameters, trial_ids=trial_ids, again=again)
    started_s = time.monotonic()
    made: list[_Made] = []

    def took(result: _Made) -> None:
        made.append(result)
        text = _rate_text(len(made), len(waiting), time.monotonic() - started_s)
        on_progress(Progress(len(made), len(waiting), text))

    on_progress(Progress(0, len(waiting)))
    n_workers = workers if workers is not None else os.cpu_count() or 1
    if not waiting:
        pass
    elif not scheduler and (n_workers == 1 or len(waiting) <= FEW_TRIALS):
        refiner = refiners.get(parameters.source)()
        for trial_id in waiting:
            if cancel is not None:
                cancel.raise_if_cancelled()
            took(_label_trial(study, trial_id, parameters, refiner, cancel=cancel))
    else:
        folder, plain = str(study.folder), parameters.as_json()
        with worker_pool(n_workers, scheduler) as pool:
            pool.run(label_in_worker, [(folder, trial_id, plain) for trial_id in waiting], took, cancel=cancel)
    failures = tuple((one.trial_id, one.failure) for one in made if one.failure)
    return LabelReport(
        n_made=len(made) - len(failures),
        n_current=n_current,
        n_with_warnings=sum(one.n_warnings > 0 for one in made),
        seconds=time.monotonic() - started_s,
        failures=failures,
    )


def label_in_worker(folder: str, trial_id: str, parameters: dict[str, object]) -> _Made:
    """Make and store the maps of one trial, in a process of its own that keeps the study open."""
    known = LabelParameters.from_json(parameters)
    return _label_trial(_opened(folder), trial_id, known, _refiner(known.source))


def image_px_per_deg(study: Study, trial: TrialRecord) -> tuple[float, float] | None:
    """Image pixels in one degree of visual angle while the trial ran: the median over time; None without a session."""
    if not trial.session_file:
        return None
    session = read_session(study.absolute(trial.session_file))
    per_deg = session.header.display.px_per_deg()
    for shown in session.trials():
        if shown.trial_id != trial.trial_id or len(shown.views) == 0:
            continue
        begins = np.clip(shown.views.time_ns, shown.onset_ns, shown.offset_ns)
        weights = np.diff(np.append(begins, shown.offset_ns))
        zooms = np.array([view.zoom for view in shown.views.views])
        order = np.argsort(zooms)
        middle = int(np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2))
        zoom = float(zooms[order][min(middle, len(zooms) - 1)])
        return per_deg[0] / zoom, per_deg[1] / zoom
    return None


def _label_trial(
    study: Study,
    trial_id: str,
    parameters: LabelParameters,
    refiner: Refiner,
    *,
    cancel: CancelToken | None = None,
) -> _Made:
    try:
        trial = study.trials(trial_id=trial_id)[0]
        image = study.image(trial.image_id)
        facts = {"inputs": _inputs_digest(trial, image), "software": VERSION}
        maps = maps_of_trial(study, trial, parameters, refiner, cancel=cancel)
        study.save_maps(trial_id, maps, facts=facts)
    except UserFacingError as error:
        return _Made(trial_id, failure=str(error))
    return _Made(trial_id, n_warnings=len(maps.warnings))


def maps_of_trial(
    study: Study,
    trial: TrialRecord,
    parameters: LabelParameters,
    refiner: Refiner,
    *,
    cancel: CancelToken | None = None,
) -> LabelMaps:
    """The maps of one trial, made anew and not stored.

    Raises:
        UserFacingError: the image or the session cannot be read.
        Cancelled: stopped.
    """
    if trial.outcome is Outcome.NO_TARGET:
        return no_target_maps(study.image(trial.image_id).size, parameters)
    per_deg = image_px_per_deg(study, trial) if parameters.heatmap_mode == "degrees" else None
    shown = study.pixels(trial.image_id).display_u8()
    return make_label_maps(shown, trial.fixations, parameters, image_px_per_deg=per_deg, refiner=refiner, cancel=cancel)


def _work_to_do(
    study: Study, parameters: LabelParameters, *, trial_ids: Sequence[str], again: bool
) -> tuple[list[str], int]:
    """Trials whose maps are missing or outdated, those of one image together; and how many are up to date."""
    trials = study.trials() if trial_ids else study.trials(newest_only=True)
    chosen = [t for t in trials if t.status not in WITHOUT_LABEL and (not trial_ids or t.trial_id in set(trial_ids))]
    images = {image.image_id: image for image in study.images()}
    place = {image_id: i for i, image_id in enumerate(images)}
    chosen.sort(key=lambda trial: place[trial.image_id])
    waiting = [t.trial_id for t in chosen if again or not _is_current(study, t, images[t.image_id], parameters)]
    return waiting, len(chosen) - len(waiting)


def _is_current(study: Study, trial: TrialRecord, image: StudyImage, parameters: LabelParameters) -> bool:
    record = study.maps_record(trial.trial_id)
    if record is None or record.get("parameters") != parameters.as_json():
        return False
    facts = record.get("facts")
    return isinstance(facts, dict) and facts.get("inputs") == _inputs_digest(trial, image)


def _inputs_digest(trial: TrialRecord, image: StudyImage) -> str:
    """Short hash of what the maps are made from, other than the parameters."""
    facts = [image.sha256, image.slice_index, list(image.size), trial.outcome.value, trial.session_file]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for column in (trial.fixations.xy_norm, trial.fixations.duration_ms):
        digest.update(np.ascontiguousarray(column, np.float64).tobytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=1)
def _opened(folder: str) -> Study:
    return Study.open(Path(folder))


@lru_cache(maxsize=1)
def _refiner(source: str) -> Refiner:
    return refiners.get(source)()


def _rate_text(done: int, total: int, seconds: float) -> str:
    if done == 0 or seconds <= 0:
        return ""
    left_s = round((total - done) * seconds / done)
    return f"{done / seconds:.1f} per second, {left_s // 60}:{left_s % 60:02d} left"


def with_changes(
    parameters: LabelParameters,
    *,
    source: str | None = None,
    mode: str | None = None,
    sigma: float | None = None,
    thresholds: Sequence[float] = (),
) -> LabelParameters:
    """The parameters with what is given changed.

    Raises:
        UserFacingError: a value that cannot be.
    """
    if mode not in (None, "published", "degrees"):
        raise UserFacingError(f"There is no heatmap mode {mode!r}.", "Known: published, degrees.")
    if mode and mode != parameters.heatmap_mode and sigma is None:
        raise UserFacingError("Another heatmap mode needs its own sigma.", "For example 1 degree, or 70 as published.")
    try:
        changed = replace(
            parameters,
            heatmap_mode="degrees" if (mode or parameters.heatmap_mode) == "degrees" else "published",
            source=source or parameters.source,
            sigma=parameters.sigma if sigma is None else sigma,
            thresholds=tuple(thresholds) or parameters.thresholds,
        )
    except ValueError as problem:
        raise UserFacingError(f"These label settings cannot be: {problem}.") from problem
    refiners.get(changed.source)
    return changed
