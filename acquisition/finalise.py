"""From the journal to the session file, at the end of a sitting or after a crash."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acquisition.clock_map import residuals_ms
from acquisition.gaps import find_gaps
from domain.errors import BadFileError, UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.gaze import GazeSamples
from domain.markers import Marker
from domain.session import GapCause, Notification, OnlineFixation, SessionRecord
from storage.journal import Journal, JournalEvent, is_being_written, read_journal
from storage.session_file import header_from_json, publish_session

log = logging.getLogger(__name__)

JOURNAL_SUFFIX = ".journal"
SESSION_SUFFIX = ".h5"


@dataclass(frozen=True)
class Recovered:
    """What became of one journal: the session made of it, or why there is none."""

    journal: Path
    session: Path | None
    n_samples: int = 0
    problem: str = ""


def finalise(journal_path: Path, session_path: Path | None = None, *, keep_journal: bool = False) -> SessionRecord:
    """Publish a journal as a session file and check it; the journal goes once the file is proven equal.

    Raises:
        BadFileError: the journal cannot be read, or does not hold what its closing frame says.
        FileExistsError: there is a session file already.
    """
    target = session_path or journal_path.with_suffix(SESSION_SUFFIX)
    journal = read_journal(journal_path)
    if journal.end is not None and journal.n_frames_missing == 0:
        digest = hashlib.sha256(journal.samples.tobytes()).hexdigest()
        if digest != journal.end["sha256"] or len(journal.samples) != journal.end["n_samples"]:
            raise BadFileError(f"{journal_path} does not hold the samples that its end says.")
    record = session_from_journal(journal)
    publish_session(target, record)
    if not keep_journal:
        journal_path.unlink()
    return record


def recover_all(
    folder: Path, *, on_progress: OnProgress = no_progress, cancel: CancelToken | None = None
) -> list[Recovered]:
    """Turn every journal that a crash left in a folder into a session file; journals being written are left alone."""
    journals = sorted(folder.glob(f"*{JOURNAL_SUFFIX}"))
    found = []
    for number, path in enumerate(journals):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(journals), f"Recovering {path.name}"))
        if is_being_written(path):
            continue
        found.append(_recover(path))
    on_progress(Progress(len(journals), len(journals)))
    return found


def _recover(path: Path) -> Recovered:
    target = path.with_suffix(SESSION_SUFFIX)
    number = 1
    while target.exists():  # published, but killed before the journal went; keep both rather than trust
        number += 1
        target = path.with_name(f"{path.stem}-{number}{SESSION_SUFFIX}")
    try:
        record = finalise(path, target)
    except (UserFacingError, OSError) as error:
        log.warning("%s could not be recovered: %s", path, error)
        return Recovered(path, None, problem=str(error))
    log.info("%s recovered with %d samples", path, len(record.samples))
    return Recovered(path, target, len(record.samples))


def session_from_journal(journal: Journal) -> SessionRecord:
    """Everything in a journal, sorted into tables, with gaps, clock residuals and quality worked out."""
    header = header_from_json(journal.header)
    samples = GazeSamples.from_records(journal.samples)
    by_kind: dict[str, list[JournalEvent]] = {}
    for event in journal.events:
        by_kind.setdefault(event.kind, []).append(event)
    notifications = tuple(_notification(event.values) for event in by_kind.get("notification", []))
    probes = np.array(
        [
            (event.values["request_us"], event.values["device_us"], event.values["response_us"])
            for event in by_kind.get("time_sync", [])
        ],
        np.int64,
    ).reshape(-1, 3)
    residual, drift_ppm = residuals_ms(probes)
    gaps = find_gaps(samples, notifications, rate_hz=header.tracker.rate_hz)
    ending = str(journal.end["reason"]) if journal.end else "recovered after a crash"
    if journal.n_frames_missing:
        ending += f"; {journal.n_frames_missing} damaged parts left out"
    record = SessionRecord(
        header=header,
        samples=samples,
        markers=tuple(_marker(event.values) for event in by_kind.get("marker", [])),
        notifications=notifications,
        online_fixations=tuple(_fixation(event.values) for event in by_kind.get("fixation", [])),
        gaps=gaps,
        time_sync=probes,
        time_sync_residual_ms=residual,
        calibrations=tuple({**e.values, "data": e.blob.hex()} for e in by_kind.get("calibration", [])),
        validations=tuple(event.values for event in by_kind.get("validation", [])),
        drift_checks=tuple(event.values for event in by_kind.get("drift_check", [])),
        ending=ending,
        quality=_quality(samples, gaps, header.tracker.rate_hz, residual, drift_ppm, journal),
    )
    return record


def _quality(
    samples: GazeSamples, gaps: tuple[Any, ...], rate_hz: float, residual: Any, drift_ppm: float, journal: Journal
) -> dict[str, Any]:  # Any: gaps and residuals as the caller has just made them
    seconds = float(samples.time_ns[-1] - samples.time_ns[0]) / 1e9 if len(samples) > 1 else 0.0
    steps = np.diff(samples.time_ns)
    period = float(np.median(steps)) / 1e9 if len(steps) else 0.0
    return {
        "n_samples": len(samples),
        "duration_s": seconds,
        "rate_hz_nominal": rate_hz,
        "rate_hz_measured": 1.0 / period if period else 0.0,
        "loss_left": _loss(samples, 0),
        "loss_right": _loss(samples, 1),
        "n_overflow": int(journal.end["n_overflow"]) if journal.end else int(np.sum(np.diff(samples.seq) - 1)),
        "gaps": {
            cause.value: {
                "n": sum(gap.cause is cause for gap in gaps),
                "seconds": round(sum(gap.duration_ms for gap in gaps if gap.cause is cause) / 1000.0, 6),
                "n_missing": sum(gap.n_missing for gap in gaps if gap.cause is cause),
            }
            for cause in GapCause
        },
        "clock_drift_ppm": drift_ppm,
        "clock_residual_ms_p95": float(np.percentile(np.abs(residual), 95)) if len(residual) else None,
        "clock_residual_ms_max": float(np.max(np.abs(residual))) if len(residual) else None,
    }


def _loss(samples: GazeSamples, eye: int) -> float:
    return float(1.0 - samples.gaze_valid[:, eye].mean()) if len(samples) else 1.0


def _marker(values: Mapping[str, Any]) -> Marker:
    return Marker.from_json({key: value for key, value in values.items() if key != "time_ns"})


def _notification(values: Mapping[str, Any]) -> Notification:
    rest = {key: value for key, value in values.items() if key not in ("kind", "time_ns")}
    return Notification(int(values["time_ns"]), str(values["kind"]), rest)


def _fixation(values: Mapping[str, Any]) -> OnlineFixation:
    x, y = values["centre_norm"]
    return OnlineFixation(
        number=int(values["number"]),
        phase=str(values["phase"]),
        time_ns=int(values["time_ns"]),
        onset_ns=int(values["onset_ns"]),
        offset_ns=int(values["offset_ns"]),
        centre_norm=(float(x), float(y)),
    )
