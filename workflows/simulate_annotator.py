"""A simulated annotator looks at images whose targets are known; its gaze is called simulated everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from acquisition.tracker import TrackerSettings
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.session import SessionRecord
from domain.study import Outcome, StudyImage
from domain.view import ImageView
from storage.study import Study
from workflows.record_session import RecordSession
from workflows.trial_from_gaze import trial_records

MARGIN = 0.05
PAUSE_S = 0.5
"""Between two images."""


def simulate_annotator(
    study: Study,
    *,
    annotator: str,
    target: str = "",
    images: Sequence[StudyImage] | None = None,
    seconds: float = 8.0,
    settings: TrackerSettings | None = None,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> SessionRecord:
    """Record one sitting over the given images (default: all that have a mask), save its trials, return the session.

    With the default settings it runs as fast as the machine can; every sample, marker and file is as in real time.

    Raises:
        UserFacingError: there is no image with a mask.
    """
    chosen_target = target or study.settings.targets[0].name
    wanted = list(images) if images is not None else [image for image in study.images() if image.mask_path]
    if not wanted:
        raise UserFacingError(
            "A simulated annotator needs images whose target is known.", "Import images together with their masks."
        )
    chosen = settings or TrackerSettings(driver="simulated", speed=0.0)
    session = RecordSession(
        study.folder / "sessions",
        chosen,
        study=study.settings.name,
        annotator=annotator,
        target=chosen_target,
    )
    with session:
        for number, image in enumerate(wanted):
            if cancel is not None:
                cancel.raise_if_cancelled()
            on_progress(Progress(number, len(wanted), f"Looking at {image.image_id}"))
            _look_at(session, study, image, target=chosen_target, seconds=seconds)
        on_progress(Progress(len(wanted), len(wanted), "Writing the session"))
        record = session.close()
    session_file = study.relative(session.session_path)
    for trial in trial_records(record, session_file=session_file, protocol=study.settings.protocol):
        study.save_trial(trial)
    return record


def _look_at(session: RecordSession, study: Study, image: StudyImage, *, target: str, seconds: float) -> None:
    mask = study.ground_truth(image.image_id)
    if mask is None:
        mask = np.zeros((image.size[1], image.size[0]), np.bool_)
    view = ImageView.fitted(image.size, session.display.size_px, margin=MARGIN)
    session.begin_trial(image.image_id, view, mask=mask, payload={"target": target})
    session.advance(seconds)
    outcome = Outcome.TARGET if mask.any() else Outcome.NO_TARGET
    session.end_trial(payload={"outcome": outcome.value})
    session.advance(PAUSE_S)
