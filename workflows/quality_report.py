"""The data-quality report of a recorded session: from the session file to one HTML page."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from calibration.geometry import ScreenPlane
from calibration.report import CalibrationNote, ImageQuality, SessionQuality
from calibration.report_page import report_html
from domain.calibration import DriftCheck, Validation
from domain.gaze import GazeSamples
from domain.session import SessionRecord, SessionTrial
from domain.study import Protocol
from domain.version import VERSION
from processing.detector import parameters_as_json, parameters_for
from storage.atomic_write import write_text_atomically
from storage.session_file import read_session

DETECTOR = "ivt"


def write_quality_report(session_path: Path, report_path: Path, *, protocol: Protocol | None = None) -> SessionQuality:
    """Write the report of a session file and give what it says.

    Raises:
        BadFileError: the session file cannot be read.
    """
    protocol = protocol or Protocol()
    quality = session_quality(read_session(session_path), protocol=protocol)
    write_text_atomically(report_path, report_html(quality, warn_loss=protocol.warn_loss, stop_loss=protocol.stop_loss))
    return quality


def session_quality(record: SessionRecord, *, protocol: Protocol | None = None) -> SessionQuality:
    """Everything the report shows, from the session alone (and the study's limits, where it is known)."""
    protocol = protocol or Protocol()
    header, samples, measured = record.header, record.samples, record.quality
    tracker, display = header.tracker, header.display
    corners = tracker.display_area_mm
    plane = ScreenPlane(*corners[:3]) if len(corners) >= 3 else ScreenPlane.upright(display)
    start_ns = int(samples.time_ns[0]) if len(samples) else 0
    checks = [_drift_check(values, start_ns) for values in record.drift_checks if values.get("points")]
    limits = (
        f"images with at least {protocol.stop_loss:.0%} of the gaze lost, or lost for {protocol.stop_gap_s:g} s in one "
        f"stretch, were repeated; the first {protocol.ignore_first_ms} ms of an image were not counted"
    )
    first = next((trial.payload for trial in record.trials()), {})
    return SessionQuality(
        session_id=header.session_id,
        created=header.created_utc,
        tracker=tracker.model or tracker.driver,
        serial=tracker.serial,
        firmware=tracker.firmware,
        tracker_software=tracker.software,
        rate_hz=tracker.rate_hz,
        rate_measured_hz=_number(measured.get("rate_hz_measured")),
        is_simulated=header.is_simulated,
        screen_px=display.size_px,
        screen_mm=display.size_mm,
        px_per_deg=display.px_per_deg(),
        distance_mm=display.distance_mm,
        distance_measured_mm=_distances_mm(samples, plane),
        annotator=header.annotator,
        seconds=_number(measured.get("duration_s")),
        n_samples=len(samples),
        loss_left=_number(measured.get("loss_left")),
        loss_right=_number(measured.get("loss_right")),
        n_overflow=int(measured.get("n_overflow", 0)),
        clock_residual_ms=_number(measured.get("clock_residual_ms_p95")),
        calibrations=tuple(
            _calibration(values) for values in record.calibrations if values.get("reason") == "accepted"
        ),
        validations=tuple(_validation(values) for values in record.validations),
        drift_checks=tuple(checks),
        n_corrections=_n_corrections(record.drift_checks),
        images=tuple(_image(record, trial, start_ns) for trial in record.trials()),
        gaps=tuple(
            (cause, int(found["n"]), float(found["seconds"]))
            for cause, found in measured.get("gaps", {}).items()
            if found["n"]
        ),
        filters=_filters(header.settings),
        software={"Sightline": header.software_version, "report": VERSION, "Python": platform.python_version()},
        instruction=str(first.get("instruction", "")),
        exclusion=limits,
        ending=record.ending,
    )


def _image(record: SessionRecord, trial: SessionTrial, start_ns: int) -> ImageQuality:
    samples = record.samples_of(trial)
    lost = 1.0 - samples.gaze_valid.mean(axis=0) if len(samples) else np.ones(2)
    seconds = (trial.offset_ns - trial.onset_ns) / 1e9
    gaps = [gap for gap in record.gaps if gap.end_ns > trial.onset_ns and gap.start_ns < trial.offset_ns]
    inside = [(min(gap.end_ns, trial.offset_ns) - max(gap.start_ns, trial.onset_ns)) / 1e6 for gap in gaps]
    return ImageQuality(
        image_id=trial.image_id,
        seconds=seconds,
        loss_left=float(lost[0]),
        loss_right=float(lost[1]),
        longest_gap_ms=max(inside, default=0.0),
        n_gaps=len(gaps),
        onset_s=(trial.onset_ns - start_ns) / 1e9,
    )


def _distances_mm(samples: GazeSamples, plane: ScreenPlane) -> tuple[float, float, float]:
    known = samples.origin_valid & np.isfinite(samples.origin_mm).all(axis=-1)
    if not known.any():
        return (math.nan, math.nan, math.nan)
    away = (samples.origin_mm[known] - np.asarray(plane.top_left_mm)) @ plane.towards_user
    low, median, high = np.percentile(away, [25, 50, 75])
    return (float(median), float(low), float(high))


def _calibration(values: Mapping[str, Any]) -> CalibrationNote:
    return CalibrationNote(
        made_at=str(values.get("made_at", "")),
        profile=str(values.get("profile", "")),
        n_points=len(values.get("points", ())),
        eyes=str(values.get("eyes", "")),
        override_reason=str(values.get("override_reason", "")),
    )


def _validation(values: Mapping[str, Any]) -> Validation:
    return Validation.from_json({key: value for key, value in values.items() if key != "time_ns"})


def _drift_check(values: Mapping[str, Any], start_ns: int) -> tuple[float, DriftCheck]:
    check = DriftCheck.from_json({key: value for key, value in values.items() if key not in ("correction", "history")})
    return max(0.0, (check.time_ns - start_ns) / 60e9), check


def _n_corrections(checks: tuple[Mapping[str, Any], ...]) -> int:
    """Corrections that were put in force and not undone, by the last check's history."""
    history = checks[-1].get("history", []) if checks else []
    return sum(1 if entry["what"] == "apply" else -1 for entry in history)


def _filters(settings: Mapping[str, Any]) -> dict[str, str]:
    """The event detector and its parameters: those the session names, else the ones Sightline makes trials with."""
    named = settings.get("detector", DETECTOR)
    if isinstance(named, Mapping):
        values: Mapping[str, Any] = named
    else:
        values = {"detector": named, **parameters_as_json(parameters_for(str(named)))}
    return dict(_flat(values))


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield key.replace("_", " "), str(value)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
