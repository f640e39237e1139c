"""Drift check between images: one look at a dot, the verdict, and a correction that can be undone."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import numpy as np

from calibration.drift import ONE_DOT, DriftCorrection, DriftLog, assess, correction_for
from calibration.fixation_run import RunPace
from calibration.geometry import ScreenPlane
from calibration.profiles import Profile, profile_of
from domain.calibration import DriftCheck, DriftVerdict, Point
from domain.errors import UserFacingError
from domain.gaze import GazeSamples
from domain.session import SessionRecord
from workflows.gaze_run import GazeRun
from workflows.gaze_source import GazeSource

STABLE_S = 0.5


class DriftRun(GazeRun):
    """One or five dots; each needs half a second of stable gaze. `check` has the verdict when `is_complete`."""

    def __init__(
        self,
        source: GazeSource,
        *,
        points: tuple[Point, ...] = ONE_DOT,
        profile: Profile | None = None,
        distance_mm: float = 650.0,
        reason: str = "",
        after_images: int = 0,
    ) -> None:
        super().__init__(
            source,
            points,
            profile=profile or profile_of("adult"),
            distance_mm=distance_mm,
            # The first dot appears where it is; the others are travelled to.
            pace=RunPace(travel_s=0.3, shrink_s=0.3, rest_s=0.3, wait_s=4.0, collect_s=STABLE_S, must_be_stable=True),
            # A gaze that has drifted by some degrees still looks at the dot.
            near_deg=6.0,
        )
        self.reason = reason
        self.after_images = after_images

    def check(self) -> DriftCheck:
        """How far gaze lies off and what follows."""
        return assess(
            self.qualities(),
            made_at=_now(),
            time_ns=self.source.now_ns(),
            reason=self.reason,
            after_images=self.after_images,
        )

    def correction(self) -> DriftCorrection:
        """The correction that this check offers; it holds from now on."""
        looks = [(look.point, samples) for look, samples in self.looks() if look.has_window]
        return correction_for(looks, self.plane, from_ns=self.source.now_ns(), made_at=_now())


def accept_correction(log: DriftLog, check: DriftCheck, correction: DriftCorrection) -> DriftCorrection:
    """Put an offered correction in force.

    Raises:
        UserFacingError: the check offers none (gaze is fine, too far off, or was not stable).
    """
    if check.verdict is not DriftVerdict.OFFER:
        hint = "Calibrate again." if check.verdict is DriftVerdict.RECALIBRATE else "Repeat the drift check."
        raise UserFacingError(f"This drift check offers no correction: {check.verdict.value}.", hint)
    return log.apply(correction)


def journal_values(check: DriftCheck, log: DriftLog) -> dict[str, Any]:
    """What the session keeps of a check: the figures, the correction in force, and what was done so far."""
    return {
        **check.as_json(),
        "correction": log.active.as_json(),
        "history": [{"what": what, "version": correction.version} for what, correction in log.entries],
    }


def correction_note(log: DriftLog, *, time_ns: int, reason: str) -> dict[str, Any]:
    """What the session keeps where a correction begins or ends without a check: nothing was measured."""
    return journal_values(DriftCheck(_now(), time_ns, (), math.nan, DriftVerdict.NO_DATA, reason), log)


def undo_correction(log: DriftLog, *, time_ns: int) -> dict[str, Any]:
    """Take the newest correction back; what the session keeps of that.

    Raises:
        UserFacingError: no correction is in force.
    """
    if log.active.kind == "none":
        raise UserFacingError("No drift correction is in force.", "There is nothing to take back.")
    log.undo()
    return correction_note(log, time_ns=time_ns, reason="correction undone")


def corrected_samples(record: SessionRecord) -> GazeSamples:
    """The samples of a session with the corrections that were in force when each was taken; the session's own stay.

    A correction holds from its check until the next check or the next accepted calibration.
    """
    changes = [
        (int(values["time_ns"]), DriftCorrection.from_json(values["correction"]))
        for values in record.drift_checks
        if "correction" in values
    ]
    changes += [
        (int(values.get("time_ns", 0)), DriftCorrection.none())
        for values in record.calibrations
        if values.get("reason") == "accepted"
    ]
    samples = record.samples
    if all(correction.kind == "none" for _, correction in changes):
        return samples
    changes.sort(key=lambda change: change[0])
    corners = record.header.tracker.display_area_mm
    plane = ScreenPlane(*corners[:3]) if len(corners) >= 3 else ScreenPlane.upright(record.header.display)
    edges = np.searchsorted(samples.time_ns, [time_ns for time_ns, _ in changes])
    parts = [samples[: int(edges[0])]]
    for (_, correction), first, last in zip(changes, edges, [*edges[1:], len(samples)], strict=True):
        # The whole stretch: `from_ns` lies a moment before the check was journalled.
        whole = replace(correction, from_ns=0)
        parts.append(whole.corrected(samples[int(first) : int(last)], plane))
    return GazeSamples.concatenate(parts)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
