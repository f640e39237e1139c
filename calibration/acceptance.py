"""Whether a calibration may start a recording, and why not."""

from __future__ import annotations

from calibration.engine_events import Attempt
from domain.calibration import Eyes, Grade, Validation

MAX_LOSS = 0.20
"""More loss than this at the validation points is poor (10 % is good, 20 % fair)."""


def objections(attempt: Attempt | None, validation: Validation | None, eyes: Eyes) -> tuple[str, ...]:
    """What speaks against recording with this calibration, each as a sentence; none means that it may start.

    Objections can be overridden by a person with a reason, which is stored; an attempt that the tracker did not
    compute cannot, since there is nothing to record with.
    """
    found: list[str] = []
    if attempt is None or not attempt.is_usable:
        return ("There is no calibration: the tracker computed none.",)
    names = ("left", "right")
    for name, has, asked in zip(names, attempt.eyes_calibrated(), eyes.wanted, strict=True):
        if asked and not has:
            found.append(f"The {name} eye is not calibrated.")
    if validation is None:
        found.append("The calibration was not validated.")
        return tuple(found)
    if validation.grade in (Grade.POOR, Grade.NO_DATA):
        found.append(validation.rule)
    for name, asked in zip(names, eyes.wanted, strict=True):
        summary = validation.summary(name)  # type: ignore[arg-type]  # the names are eye names
        if asked and summary.n_missing == summary.n_points:
            found.append(f"The {name} eye was not seen in the validation.")
        elif asked and summary.loss > MAX_LOSS:
            found.append(f"{summary.loss:.0%} of the {name} eye's gaze was lost (limit {MAX_LOSS:.0%}).")
    return tuple(found)


def can_be_overridden(attempt: Attempt | None) -> bool:
    """Whether a person may let it pass all the same."""
    return attempt is not None and attempt.is_usable
