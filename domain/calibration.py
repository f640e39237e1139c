"""How well gaze can be trusted: quality of points, validations, calibrations, drift checks."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Literal, TypeVar

T = TypeVar("T")
EyeName = Literal["left", "right", "binocular"]
EYE_NAMES: tuple[EyeName, ...] = ("left", "right", "binocular")
Point = tuple[float, float]


class Eyes(str, Enum):
    """Which eyes are calibrated."""

    BOTH = "both eyes"
    LEFT = "left eye only"
    RIGHT = "right eye only"

    @property
    def wanted(self) -> tuple[bool, bool]:
        """Whether the left and the right eye count."""
        return self is not Eyes.RIGHT, self is not Eyes.LEFT


class Grade(str, Enum):
    """The verdict on a validation."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    NO_DATA = "no data"


class DriftVerdict(str, Enum):
    """What a drift check asks for."""

    PASS = "pass"
    OFFER = "correction offered"
    RECALIBRATE = "calibrate again"
    NO_DATA = "no stable fixation"


@dataclass(frozen=True)
class PointQuality:
    """Quality of gaze at one target, for one eye or both; NaN where there is no data.

    target_norm: where the target was on the display area, 0-1.
    offset_x_deg, offset_y_deg: mean gaze minus target, degrees, to the right and downwards on the screen.
    accuracy_mean_deg: angle of the mean offset (systematic error); hypot of the two offsets.
    accuracy_median_deg: median over the samples of the angle between gaze and target (what a user gets).
    sd_deg, rms_s2s_deg: precision as standard deviation, and as root mean square from sample to sample.
    bcea_deg2: area of the ellipse that holds 68.2 % of the samples, square degrees.
    ci95_x_deg, ci95_y_deg: half-width of the 95 % confidence interval of the mean offset.
    loss: share of samples that were expected and are not valid, 0-1. n: valid samples.
    is_stable: whether gaze was stable when the samples were taken.
    """

    target_norm: Point
    eye: EyeName
    offset_x_deg: float = math.nan
    offset_y_deg: float = math.nan
    accuracy_mean_deg: float = math.nan
    accuracy_median_deg: float = math.nan
    sd_deg: float = math.nan
    rms_s2s_deg: float = math.nan
    bcea_deg2: float = math.nan
    ci95_x_deg: float = math.nan
    ci95_y_deg: float = math.nan
    loss: float = 1.0
    n: int = 0
    is_stable: bool = True

    @property
    def has_data(self) -> bool:
        """Whether any sample was valid."""
        return self.n > 0


@dataclass(frozen=True)
class EyeSummary:
    """Averages over the points of one validation for one eye; points without data are counted, not averaged."""

    eye: EyeName
    accuracy_mean_deg: float
    accuracy_max_deg: float
    accuracy_median_deg: float
    sd_deg: float
    rms_s2s_deg: float
    bcea_deg2: float
    loss: float
    n_points: int
    n_missing: int


@dataclass(frozen=True)
class Validation:
    """A validation on fresh points: every point for the left eye, the right eye and both, and the verdict.

    graded_eye: whose figures decided the grade. rule: the rule in words, with the figures it was applied to.
    """

    points: tuple[PointQuality, ...]
    summaries: tuple[EyeSummary, ...]
    grade: Grade
    graded_eye: EyeName
    rule: str
    made_at: str = ""
    rate_hz: float = math.nan

    def point(self, target_norm: Point, eye: EyeName) -> PointQuality:
        """The figures of one target and eye."""
        for quality in self.points:
            if quality.target_norm == target_norm and quality.eye == eye:
                return quality
        raise KeyError(f"no validation point {target_norm} for the {eye} eye")

    def summary(self, eye: EyeName) -> EyeSummary:
        """The averages of one eye."""
        return next(summary for summary in self.summaries if summary.eye == eye)

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON file; what is not there is null."""
        values = plain(asdict(self))
        if not isinstance(values, dict):
            raise TypeError("a validation must become a JSON object")
        return values

    @classmethod
    def from_json(cls, values: dict[str, object]) -> Validation:
        """The validation from what `as_json` gave."""
        known = dict(values)
        known["points"] = tuple(typed_from_json(PointQuality, row) for row in _rows(known["points"]))
        known["summaries"] = tuple(typed_from_json(EyeSummary, row) for row in _rows(known["summaries"]))
        known["grade"] = Grade(known["grade"])
        return typed_from_json(cls, known)


@dataclass(frozen=True)
class Surroundings:
    """What a calibration was made on and for; with anything else of this it is stale.

    display_area_mm: upper left, upper right and lower left corner in the tracker's system (9 numbers).
    """

    tracker_serial: str
    tracker_model: str
    screen_name: str
    screen_serial: str
    screen_px: tuple[int, int]
    screen_scale: float
    screen_mm: tuple[float, float]
    distance_mm: float
    annotator: str
    display_area_mm: tuple[float, ...] = ()


@dataclass(frozen=True)
class CalibrationRecord:
    """One accepted calibration as it is stored: the tracker's own data, what it belongs to, and how good it is.

    blob: what the tracker gave, verbatim; its SHA-256 is stored beside it. override_reason: why a person let a
    failed calibration pass, empty where none was needed.
    """

    blob: bytes
    surroundings: Surroundings
    made_at: str
    profile: str
    points: tuple[Point, ...]
    eyes: Eyes
    validation: Validation | None = None
    override_reason: str = ""
    software: str = ""
    n_attempts: int = 1
    is_simulated: bool = False


@dataclass(frozen=True)
class DriftCheck:
    """One look at one or more dots: how far gaze lies off, and what follows."""

    made_at: str
    time_ns: int
    points: tuple[PointQuality, ...]
    offset_deg: float
    verdict: DriftVerdict
    reason: str = ""
    after_images: int = 0

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON file."""
        values = plain(asdict(self))
        if not isinstance(values, dict):
            raise TypeError("a drift check must become a JSON object")
        return values

    @classmethod
    def from_json(cls, values: dict[str, object]) -> DriftCheck:
        """The drift check from what `as_json` gave."""
        known = dict(values)
        known["points"] = tuple(typed_from_json(PointQuality, row) for row in _rows(known["points"]))
        known["verdict"] = DriftVerdict(known["verdict"])
        return typed_from_json(cls, known)


def plain(value: object) -> object:
    """Values that JSON can hold: NaN becomes null, tuples lists, enums their text."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _rows(value: object) -> list[dict[str, object]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError("expected a list of objects")
    return value


def typed_from_json(cls: type[T], values: dict[str, object]) -> T:
    """A flat dataclass of this file from what `plain` made of it: null becomes NaN, lists tuples."""
    names = {entry.name: str(entry.type) for entry in fields(cls)}  # type: ignore[arg-type]  # dataclasses of this file
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"{cls.__name__} has no {', '.join(unknown)}")
    typed: dict[str, object] = {}
    for name, value in values.items():
        if value is None and names[name] == "float":
            typed[name] = math.nan
        elif isinstance(value, list):
            typed[name] = tuple(value)
        else:
            typed[name] = value
    return cls(**typed)
