"""Opening studies, and a glance at those opened before."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acquisition.finalise import recover_all
from domain.errors import UserFacingError
from domain.study import Role, StudySettings, TrialStatus
from storage.session_file import read_session
from storage.study import Study
from workflows.thumbnails import thumbnail
from workflows.trial_from_gaze import trial_records

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecentStudy:
    """A study opened before: its name and first picture, or that it is no longer there."""

    folder: str
    name: str
    is_there: bool
    n_images: int = 0
    picture: NDArray[np.uint8] | None = None


def open_study(folder: Path, *, actor: str = "") -> Study:
    """Open a study folder; `actor` is named in its audit log. Sessions that a crash cut off are made whole first."""
    study = Study.open(folder, actor=actor)
    try:
        for recovered in recover_all(study.folder / "sessions"):
            _log.warning("recovered a session: %s", recovered)
            if recovered.session is not None:
                take_in_trials(study, recovered.session)
    except (UserFacingError, OSError):
        _log.exception("a cut-off session could not be recovered; its journal stays where it is")
    return study


def take_in_trials(study: Study, session_path: Path) -> int:
    """Enter the trials of a session that the catalog does not know yet; how many those were."""
    session = read_session(session_path)
    name = session_path.relative_to(study.folder).as_posix()
    n_new = 0
    for record in trial_records(session, session_file=name, protocol=study.settings.protocol):
        if study.trials(trial_id=record.trial_id):
            continue
        known = study.statuses(record.annotator, record.target).get(record.image_id, TrialStatus.IN_PROGRESS)
        study.save_trial(replace(record, status=known), is_recovered=True)
        n_new += 1
    return n_new


def create_study(folder: Path, settings: StudySettings, *, annotator: str) -> Study:
    """Make a new study with its first person, who is its admin."""
    study = Study.create(folder, settings, actor=annotator)
    study.add_annotator(annotator, Role.ADMIN)
    return study


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return (folder / "study.json").is_file()


def glance_at(folder: str, *, size_px: int = 160) -> RecentStudy:
    """Name, number of images and first picture of a study; never fails for one that is gone or damaged."""
    path = Path(folder)
    if not is_study(path):
        return RecentStudy(folder, path.name, is_there=False)
    try:
        with Study.open(path) as study:
            images = study.images()
            picture = thumbnail(study, images[0].image_id, size_px=size_px) if images else None
            return RecentStudy(folder, study.settings.name, is_there=True, n_images=len(images), picture=picture)
    except (UserFacingError, OSError, json.JSONDecodeError):
        return RecentStudy(folder, path.name, is_there=False)
