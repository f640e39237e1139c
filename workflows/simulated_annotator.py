"""A simulated annotator works through a study without a window: for tests, benchmarks and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from acquisition.tracker import TrackerSettings
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.session import SessionRecord
from domain.study import Outcome, StudyImage, TrialStatus
from domain.trial import TrialRecord
from domain.view import ImageView
from processing.labels import no_target_maps
from storage.study import Study
from workflows.read_trial import maps_of, read_trial
from workflows.record_session import RecordSession

ANNOTATOR = "simulated"
LOOK_S = 8.0
"""How long each image is looked at; gaze annotation of one image takes about this long (annotation.md, training.md)."""
BETWEEN_S = 0.5
MARGIN = 0.05


def annotate(
    study: Study,
    image_ids: Sequence[str] | None = None,
    *,
    annotator: str = ANNOTATOR,
    seed: int = 1,
    look_s: float = LOOK_S,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> list[TrialRecord]:
    """Look at the images that have a ground-truth mask, store trials and maps, publish the session file.

    The simulated eye is told where the target is by the ground truth; an image with an empty mask is answered with
    "no target". Everything stored says that it is simulated. Time is simulated too, so minutes take seconds.

    Raises:
        UserFacingError: no image has a ground-truth mask.
        Cancelled: stopped between two images; what was looked at stays in the session file.
    """
    chosen = [study.image(i) for i in image_ids] if image_ids is not None else study.images()
    chosen = [image for image in chosen if image.mask_path]
    if not chosen:
        raise UserFacingError("No image of the study has a ground-truth mask.", "The simulated annotator needs them.")
    study.add_annotator(annotator)
    target = study.settings.targets[0].name
    session = RecordSession(
        study.folder / "sessions",
        TrackerSettings(driver="simulated", speed=0.0, seed=seed),
        study=study.study_id,
        annotator=annotator,
        target=target,
    )
    session.open()
    try:
        for number, image in enumerate(chosen):
            if cancel is not None:
                cancel.raise_if_cancelled()
            _look_at(study, session, image, look_s)
            on_progress(Progress(number + 1, len(chosen), f"{image.image_id} (simulated gaze)"))
    finally:
        record = session.close()
    return _store(study, record, session.session_path, annotator=annotator, target=target)


def _look_at(study: Study, session: RecordSession, image: StudyImage, look_s: float) -> None:
    view = ImageView.fitted(image.size, session.display.size_px, margin=MARGIN)
    mask = study.ground_truth(image.image_id)
    has_target = mask is not None and bool(mask.any())
    session.begin_trial(image.image_id, view, mask=mask if has_target else None)
    session.advance(look_s)
    session.press_key("Return" if has_target else "N")
    outcome = Outcome.TARGET if has_target else Outcome.NO_TARGET
    session.end_trial(payload={"outcome": outcome.value})
    session.advance(BETWEEN_S)


def _store(
    study: Study, record: SessionRecord, session_path: Path, *, annotator: str, target: str
) -> list[TrialRecord]:
    """Trials and maps of a whole session, read from what was published."""
    display, stored = record.header.display, []
    for trial in record.trials():
        reading = read_trial(
            record.samples,
            trial.views,
            display,
            start_ns=trial.onset_ns,
            end_ns=trial.offset_ns,
            protocol=study.settings.protocol,
        )
        outcome = Outcome(str(trial.payload.get("outcome", Outcome.TARGET.value)))
        kept = TrialRecord(
            trial_id=trial.trial_id,
            image_id=trial.image_id,
            annotator=annotator,
            target=target,
            outcome=outcome,
            status=TrialStatus.DONE,
            session_file=study.relative(session_path),
            started_ns=trial.onset_ns,
            ended_ns=trial.offset_ns,
            fixations=reading.fixations,
            quality=reading.quality,
            instruction_version=study.settings.protocol.instruction_version,
            is_simulated=record.header.is_simulated,
        )
        study.save_trial(kept)
        parameters = study.settings.labels
        if outcome is Outcome.NO_TARGET:
            maps = no_target_maps(study.image(trial.image_id).size, parameters)
        else:
            pixels = study.pixels(trial.image_id).display_u8()
            maps = maps_of(pixels, reading.fixations, parameters, display, trial.views.views[0].zoom)
        study.save_maps(kept.trial_id, maps)
        stored.append(kept)
    return stored
