"""Gaze of other programs into a study: a session file each, and a trial for each picture that the study has."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from domain.events import CancelToken, OnProgress, Progress
from domain.fixations import Fixations
from domain.session import SessionTrial
from domain.study import StudyImage, TrialStatus
from domain.trial import TrialQuality, TrialRecord
from domain.view import ImageView
from processing.detector import detect
from processing.image_fixations import to_image_fixations
from processing.importer import FoundSession
from storage.file_names import file_name_for
from storage.image_file import stem_of
from storage.session_file import publish_session
from storage.study import Study

DETECTOR = "ivt"


@dataclass(frozen=True)
class PlacedSessions:
    """Trials that came from sessions, and what could not be placed."""

    trials: tuple[TrialRecord, ...]
    warnings: tuple[str, ...]


def import_sessions(
    study: Study,
    sessions: Sequence[FoundSession],
    images: Mapping[str, StudyImage],
    written: list[Path],
    *,
    on_progress: OnProgress,
    cancel: CancelToken | None,
) -> PlacedSessions:
    """Write each session and make a trial of each shown picture that the study has, by its name without ending.

    Every file that was written is added to `written`, so that the caller can take it back.
    """
    by_name = {image.image_id.lower(): image for image in images.values()}
    by_name |= {stem_of(image.origin).lower(): image for image in images.values() if image.origin}
    trials: list[TrialRecord] = []
    unknown: set[str] = set()
    unplaced: set[str] = set()
    for number, session in enumerate(sessions):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(sessions), session.name))
        ids = {
            trial_id: by_name[stem_of(name).lower()].image_id
            for trial_id, name in session.image_names.items()
            if stem_of(name).lower() in by_name
        }
        unknown |= {name for trial_id, name in session.image_names.items() if trial_id not in ids}
        path = study.folder / "sessions" / f"imported-{file_name_for(session.name)}-{uuid.uuid4().hex[:6]}.h5"
        path.parent.mkdir(exist_ok=True)
        written.append(path)
        publish_session(path, replace(session.record, header=replace(session.record.header, study=study.study_id)))
        fixations = session.fixations
        for shown in session.record.trials():
            if shown.trial_id not in ids:
                continue
            if not len(shown.views):
                unplaced.add(session.image_names[shown.trial_id])
                continue
            if fixations is None:
                fixations = detect(DETECTOR, session.record.samples, session.record.header.display).fixations
            trials.append(_trial(study, session, shown, images[ids[shown.trial_id]], fixations, study.relative(path)))
    warnings = []
    if unknown:
        warnings.append(f"{len(unknown)} shown pictures are not images of the study (first: {min(unknown)[:60]}).")
    if unplaced:
        warnings.append(
            f"Where {len(unplaced)} pictures lay on the screen is not told (first: {min(unplaced)[:60]}); their gaze "
            "is kept in the session, without a trial."
        )
    return PlacedSessions(tuple(trials), tuple(warnings))


def _trial(
    study: Study,
    session: FoundSession,
    shown: SessionTrial,
    image: StudyImage,
    fixations: Fixations,
    session_file: str,
) -> TrialRecord:
    display = session.record.header.display
    views = [(time_ns, _as_image(view, image.size)) for time_ns, view in shown.views.rows()]
    on_image = to_image_fixations(
        fixations, views, display, start_ns=shown.onset_ns, end_ns=max(shown.offset_ns, shown.onset_ns)
    )
    samples = session.record.samples_of(shown)
    seen = np.atleast_1d(samples.gaze_valid.any(axis=1))
    gaps = np.diff(np.concatenate([[shown.onset_ns], samples.time_ns[seen], [shown.offset_ns]]))
    quality = TrialQuality(
        loss=float(1 - seen.mean()) if len(seen) else 0.0,
        longest_gap_s=float(gaps.max(initial=0) / 1e9) if len(seen) else 0.0,
        n_samples=len(seen),
        active_s=(shown.offset_ns - shown.onset_ns) / 1e9,
        rate_hz=session.record.header.tracker.rate_hz,
    )
    return TrialRecord(
        trial_id=f"{shown.trial_id}-{uuid.uuid4().hex[:8]}",
        image_id=image.image_id,
        annotator=session.record.header.annotator or "imported",
        target=study.settings.targets[0].name,
        status=TrialStatus.DONE,
        session_file=session_file,
        started_ns=shown.onset_ns,
        ended_ns=shown.offset_ns,
        fixations=on_image,
        quality=quality,
        note="imported",
    )


def _as_image(view: ImageView, size: tuple[int, int]) -> ImageView:
    # The other program may have shown a smaller copy: the place on the screen is what counts.
    if view.image_size == size:
        return view
    shown_width = view.zoom * view.image_size[0]
    return ImageView(size, view.left_top_px, zoom=shown_width / size[0])
