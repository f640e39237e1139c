"""What a paper has to say about the quality of gaze, gathered for one session (Holmqvist et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.calibration import DriftCheck, Validation


@dataclass(frozen=True)
class ImageQuality:
    """Gaze while one image was shown. loss: share of samples without that eye, 0-1."""

    image_id: str
    seconds: float
    loss_left: float
    loss_right: float
    longest_gap_ms: float
    n_gaps: int
    onset_s: float


@dataclass(frozen=True)
class CalibrationNote:
    """One calibration as the report tells it."""

    made_at: str
    profile: str
    n_points: int
    eyes: str
    override_reason: str = ""


@dataclass(frozen=True)
class SessionQuality:
    """All that the report shows; NaN or empty where it is not known, and the report then says so.

    distance_mm: set up; distance_measured_mm: median and quartiles of the eyes' distance from the screen.
    gaps: (cause, count, seconds). filters: parameters of event detection and of what follows, as name and value.
    """

    session_id: str
    created: str
    tracker: str
    serial: str
    firmware: str
    tracker_software: str
    rate_hz: float
    rate_measured_hz: float
    is_simulated: bool
    screen_px: tuple[int, int]
    screen_mm: tuple[float, float]
    px_per_deg: tuple[float, float]
    distance_mm: float
    distance_measured_mm: tuple[float, float, float]
    annotator: str
    seconds: float
    n_samples: int
    loss_left: float
    loss_right: float
    n_overflow: int
    clock_residual_ms: float
    calibrations: tuple[CalibrationNote, ...] = ()
    validations: tuple[Validation, ...] = ()
    drift_checks: tuple[tuple[float, DriftCheck], ...] = ()
    n_corrections: int = 0
    images: tuple[ImageQuality, ...] = ()
    gaps: tuple[tuple[str, int, float], ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    instruction: str = ""
    exclusion: str = ""
    ending: str = ""

    @property
    def validation(self) -> Validation | None:
        """The last validation."""
        return self.validations[-1] if self.validations else None


def methods_paragraph(quality: SessionQuality) -> str:
    """The paragraph for the methods section; what was not measured is said to be so, never left out."""
    q = quality
    simulated = " The gaze was simulated; no person was recorded." if q.is_simulated else ""
    rate = f"at a nominal {q.rate_hz:g} Hz ({_number(q.rate_measured_hz, 'Hz', 1)} measured)"
    screen = (
        f"a screen of {q.screen_px[0]} × {q.screen_px[1]} pixels ({q.screen_mm[0]:.0f} × {q.screen_mm[1]:.0f} mm) at a"
        f" viewing distance of {q.distance_mm / 10:.0f} cm{_measured_distance(q)}"
    )
    sentences = [
        f"Gaze was recorded with {_name(q)} {rate}.{simulated}",
        f"Images were shown on {screen}; one degree of visual angle was {q.px_per_deg[0]:.1f} pixels.",
    ]
    if q.calibrations:
        last = q.calibrations[-1]
        again = f" ({len(q.calibrations)} calibrations in the session)" if len(q.calibrations) > 1 else ""
        sentences.append(f"The tracker was calibrated on {last.n_points} points ({last.eyes}){again}.")
        if last.override_reason:
            sentences.append(f"The calibration was used against its validation: {last.override_reason.rstrip('.')}.")
    else:
        sentences.append("No calibration was recorded in this session.")
    sentences.append(_validation_sentence(q.validation))
    if q.drift_checks:
        offsets = [check.offset_deg for _, check in q.drift_checks if math.isfinite(check.offset_deg)]
        mean = f", with a mean offset of {sum(offsets) / len(offsets):.2f}°" if offsets else ""
        sentences.append(
            f"Drift was checked {_times(len(q.drift_checks))}{mean}; {q.n_corrections or 'no'} "
            f"correction{'s were' if q.n_corrections != 1 else ' was'} applied to derived data only."
        )
    sentences.append(
        f"Data loss over the session was {percent(q.loss_left)} (left eye) and {percent(q.loss_right)} (right eye)."
    )
    if q.filters:
        listed = "; ".join(f"{name} {value}" for name, value in q.filters.items())
        sentences.append(f"Events were detected with: {listed}.")
    if q.exclusion:
        sentences.append(f"Exclusion: {q.exclusion.rstrip('.')}.")
    if q.instruction:
        sentences.append(f"Annotators were instructed: “{q.instruction}”")
    if q.software:
        sentences.append("Software: " + ", ".join(f"{name} {version}" for name, version in q.software.items()) + ".")
    return " ".join(sentences)


def percent(value: float) -> str:
    """A share as a percentage, or that it was not measured."""
    return f"{value:.1%}" if math.isfinite(value) else "not measured"


def _validation_sentence(validation: Validation | None) -> str:
    if validation is None:
        return "The calibration was not validated."
    n = len({point.target_norm for point in validation.points})
    summary = validation.summary(validation.graded_eye)
    if summary.n_missing == summary.n_points:
        return f"In a validation on {n} fresh points gaze was valid at none of them."
    eye = "binocular gaze" if summary.eye == "binocular" else f"the {summary.eye} eye"
    return (
        f"In a validation on {n} points that were not used for calibration, the accuracy of {eye} was"
        f" {summary.accuracy_mean_deg:.2f}° (angle of the mean offset; maximum {summary.accuracy_max_deg:.2f}°;"
        f" median distance {summary.accuracy_median_deg:.2f}°), its precision {summary.sd_deg:.2f}° (SD) and"
        f" {summary.rms_s2s_deg:.2f}° (RMS-S2S), with {summary.loss:.1%} data loss."
    )


def _name(q: SessionQuality) -> str:
    firmware = f", firmware {q.firmware}" if q.firmware else ""
    software = f", {q.tracker_software}" if q.tracker_software else ""
    return f"{'an' if q.tracker[:1] in 'AEIOU' else 'a'} {q.tracker}{firmware}{software}"


def _measured_distance(q: SessionQuality) -> str:
    median, low, high = q.distance_measured_mm
    if not math.isfinite(median):
        return " (not measured)"
    return f" (measured: median {median / 10:.1f} cm, quartiles {low / 10:.1f} to {high / 10:.1f} cm)"


def _number(value: float, unit: str, digits: int) -> str:
    return f"{value:.{digits}f} {unit}" if math.isfinite(value) else "not"


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
