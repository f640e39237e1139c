"""From the gaze of a trial to the record that the study keeps: fixations on the image, and how good the gaze was."""

from __future__ import annotations

import numpy as np

from domain.display import Display
from domain.fixations import Fixations
from domain.gaze import GazeSamples
from domain.session import SessionRecord, SessionTrial
from domain.study import Outcome, Protocol, TrialStatus
from domain.trial import TrialRecord
from processing.detector import Parameters, detect
from processing.image_fixations import to_image_fixations
from workflows.drift_check import corrected_samples
from workflows.gaze_quality import measure_quality, with_warnings


def trial_record(
    trial: SessionTrial,
    samples: GazeSamples,
    display: Display,
    *,
    annotator: str,
    target: str,
    session_file: str,
    protocol: Protocol,
    outcome: Outcome = Outcome.TARGET,
    status: TrialStatus = TrialStatus.DONE,
    detector: str = "ivt",
    parameters: Parameters = None,
    is_simulated: bool = False,
) -> TrialRecord:
    """The record of one trial from its own samples, as soon as it has ended."""
    fixations = detect(detector, samples, display, parameters).fixations
    return _record(
        trial,
        samples,
        fixations,
        display,
        annotator=annotator,
        target=target,
        session_file=session_file,
        protocol=protocol,
        outcome=outcome,
        status=status,
        is_simulated=is_simulated,
    )


def trial_records(
    session: SessionRecord,
    *,
    session_file: str,
    protocol: Protocol,
    detector: str = "ivt",
    parameters: Parameters = None,
) -> list[TrialRecord]:
    """The records of all trials of a finished session, with fixations detected once over the whole of it.

    Outcome and status are taken from the trials' payloads ("outcome", "status"), where they were marked.
    """
    display = session.header.display
    fixations = detect(detector, corrected_samples(session), display, parameters).fixations
    return [
        _record(
            trial,
            session.samples,
            fixations,
            display,
            annotator=session.header.annotator,
            target=str(trial.payload.get("target", session.header.target)),
            session_file=session_file,
            protocol=protocol,
            outcome=Outcome(trial.payload.get("outcome", Outcome.TARGET.value)),
            status=TrialStatus(trial.payload.get("status", TrialStatus.DONE.value)),
            is_simulated=session.header.is_simulated,
        )
        for trial in session.trials()
    ]


def _record(
    trial: SessionTrial,
    samples: GazeSamples,
    fixations: Fixations,
    display: Display,
    *,
    annotator: str,
    target: str,
    session_file: str,
    protocol: Protocol,
    outcome: Outcome,
    status: TrialStatus,
    is_simulated: bool,
) -> TrialRecord:
    first, last = np.searchsorted(samples.time_ns, [trial.onset_ns, trial.offset_ns])
    return TrialRecord(
        trial_id=trial.trial_id,
        image_id=trial.image_id,
        annotator=annotator,
        target=target,
        outcome=outcome,
        status=status,
        session_file=session_file,
        started_ns=trial.onset_ns,
        ended_ns=trial.offset_ns,
        fixations=to_image_fixations(
            fixations,
            trial.views.rows(),
            display,
            start_ns=trial.onset_ns,
            end_ns=trial.offset_ns,
            ignore_first_ms=protocol.ignore_first_ms,
            slice_index=trial.views.views[0].slice_index if len(trial.views) else None,
        ),
        quality=with_warnings(
            measure_quality(samples[slice(int(first), int(last))], start_ns=trial.onset_ns, end_ns=trial.offset_ns),
            protocol,
        ),
        instruction_version=protocol.instruction_version,
        view_log=trial.trial_id,
        is_simulated=is_simulated,
    )
