"""One image looked at by one annotator for one target, and how good the recording was."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from domain.fixations import ImageFixations
from domain.study import Outcome, TrialStatus


@dataclass(frozen=True)
class TrialQuality:
    """How good the gaze of one trial is.

    loss: share of samples without gaze, 0-1. longest_gap_s: longest run of them. n_samples: all samples.
    active_s: time with the window in front, the annotator not idle and the tracker seeing eyes.
    drift_deg: the last drift check before the trial, None where there was none. precision_deg: RMS-S2S.
    """

    loss: float = 0.0
    longest_gap_s: float = 0.0
    n_samples: int = 0
    active_s: float = 0.0
    rate_hz: float = 0.0
    drift_deg: float | None = None
    precision_deg: float | None = None
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Plain values for a JSON column."""
        return {**asdict(self), "warnings": list(self.warnings)}

    @classmethod
    def from_json(cls, values: dict[str, object]) -> TrialQuality:
        """The quality from what `as_json` gave."""
        known = dict(values)
        known["warnings"] = tuple(known.get("warnings", ()))  # type: ignore[arg-type]  # JSON gives a list
        return cls(**known)  # type: ignore[arg-type]  # the values come from as_json


@dataclass(frozen=True)
class TrialRecord:
    """What the catalog keeps of one trial.

    `session_file` is relative to the study folder ("" where the gaze has none). Times are the host's clock,
    nanoseconds. `view_log` names the marks in the session that say how the image was shown; `note` is the
    annotator's reason for a skip or flag. `is_simulated` says that no person looked.
    """

    trial_id: str
    image_id: str
    annotator: str
    target: str
    outcome: Outcome = Outcome.TARGET
    status: TrialStatus = TrialStatus.DONE
    session_file: str = ""
    started_ns: int = 0
    ended_ns: int = 0
    fixations: ImageFixations = field(default_factory=ImageFixations.empty)
    quality: TrialQuality = field(default_factory=TrialQuality)
    instruction_version: int = 1
    view_log: str = ""
    note: str = ""
    is_simulated: bool = False

    @property
    def duration_s(self) -> float:
        """From the image's appearance to its acceptance, seconds."""
        return (self.ended_ns - self.started_ns) / 1e9
