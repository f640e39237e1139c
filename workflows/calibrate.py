"""Calibrate, validate on fresh points, review, accept: the whole way, without Qt; the screen calls `tick`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from calibration.acceptance import can_be_overridden, objections
from calibration.animation import TargetLook, TargetPhase, target_look
from calibration.engine import CalibrationEngine
from calibration.engine_events import (
    AcceptAttempt,
    Answered,
    Attempt,
    Cancel,
    Ending,
    Event,
    KeyPressed,
    OperatorAccepts,
    OperatorSkips,
    RedoAll,
    RedoPoint,
    ScreenChanged,
    Start,
    State,
    Tick,
    TrackerGone,
)
from calibration.position import HeadPosition, head_position
from calibration.profiles import Profile
from calibration.stability import NOBODY, StabilityGate
from domain.calibration import CalibrationRecord, Point, Validation
from domain.errors import UserFacingError
from domain.version import VERSION
from storage.calibration_file import CalibrationStore
from workflows.data_folder import data_folder
from workflows.gaze_source import CalibratedSource
from workflows.validate import ValidationRun

log = logging.getLogger(__name__)

GUIDE_MS = 2000.0


@dataclass(frozen=True)
class ReviewedAttempt:
    """One attempt with its validation; both may have failed."""

    attempt: Attempt
    validation: Validation | None
    objections: tuple[str, ...]


class CalibrationSession:
    """One annotator in front of one tracker until a calibration is accepted or given up.

    `tick` at the frame rate drives everything and never waits. All times are those of the samples' clock.
    """

    def __init__(
        self,
        source: CalibratedSource,
        *,
        profile: Profile,
        annotator: str,
        distance_mm: float,
        store: CalibrationStore | None = None,
        is_simulated: bool = False,
        seed: int = 0,
    ) -> None:
        self.source = source
        self.profile = profile
        self.annotator = annotator
        self.distance_mm = distance_mm
        self.engine = CalibrationEngine(profile, seed=seed)
        self.record: CalibrationRecord | None = None
        self.head = HeadPosition()
        self._store = store
        self._is_simulated = is_simulated
        self._gate = StabilityGate(profile.window_ms, profile.min_valid, profile.dispersion_deg, None, profile.eyes)
        self._validation_run: ValidationRun | None = None
        self._validations: dict[int, Validation] = {}
        self._override = ""
        self._shown: Point | None = None

    # --- what a screen shows ---------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the calibration stands."""
        return self.engine.state

    @property
    def is_validating(self) -> bool:
        """Whether fresh points are shown."""
        return self._validation_run is not None

    @property
    def is_in_review(self) -> bool:
        """Whether a person has to decide."""
        return self.state is State.REVIEW and not self.is_validating

    @property
    def is_target_resting(self) -> bool:
        """Whether a calibration target waits to be looked at, long enough for the eyes to have come to it."""
        view = self.engine.view()
        return view.state is State.SETTLE and self.source.now_ns() - view.since_ns >= (self.profile.rest_s + 0.3) * 1e9

    @property
    def is_ended(self) -> bool:
        """Whether it is over; `record` is there if a calibration was accepted."""
        return self.state is State.ENDED

    def reviewed(self) -> list[ReviewedAttempt]:
        """All attempts so far, oldest first."""
        found = []
        for attempt in self.engine.attempts:
            validation = self._validations.get(attempt.number)
            found.append(ReviewedAttempt(attempt, validation, objections(attempt, validation, self.profile.eyes)))
        return found

    def look(self) -> TargetLook:
        """The target as it is to be drawn now."""
        if self._validation_run is not None:
            return self._validation_run.look()
        view, profile = self.engine.view(), self.profile
        elapsed = (self.source.now_ns() - view.since_ns) / 1e9
        phase = TargetPhase.HIDDEN
        if view.state is State.TRAVEL:
            phase = TargetPhase.TRAVEL
        elif view.state is State.SETTLE and elapsed < profile.shrink_s:
            phase = TargetPhase.SHRINK
        elif view.state in (State.SETTLE, State.COLLECT, State.VERDICT) and view.point is not None:
            phase = TargetPhase.PULSE
        return target_look(
            phase,
            elapsed - (profile.shrink_s if view.state is State.SETTLE and phase is TargetPhase.PULSE else 0.0),
            start=view.previous_point,
            end=view.point or (0.5, 0.5),
            travel_s=profile.travel_s,
            shrink_s=profile.shrink_s,
            outer_deg=profile.outer_deg,
            inner_deg=profile.inner_deg,
            is_retry=view.is_retry,
        )

    # --- what happens ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with the annotator's position."""
        self._feed(Start())

    def tick(self) -> None:
        """A frame passes."""
        for answer in self.source.answers():
            self._feed(Answered(answer))
        if self.source.is_lost():
            self._feed(TrackerGone())
        now = self.source.now_ns()
        samples = self.source.latest(GUIDE_MS)
        self.head = head_position(
            samples, self.source.plane, ideal_distance_mm=self.distance_mm, wanted=self.profile.eyes.wanted
        )
        view = self.engine.view()
        stability = self._gate.judge(
            samples,
            self.source.plane,
            distance_mm=self.distance_mm,
            rate_hz=self.source.rate_hz,
            now_ns=now,
            not_before_ns=view.since_ns if view.state is State.SETTLE else None,
        )
        self._feed(Tick(stability, is_well_placed=self.head.is_good and stability is not NOBODY))
        self._tick_validation()
        self._show()

    def key(self) -> None:
        """The annotator says: I look at it."""
        if self._validation_run is not None:
            self._validation_run.key()
        self._feed(KeyPressed())

    def operator_accepts(self) -> None:
        """The operator says: go on."""
        if self._validation_run is not None:
            self._validation_run.accept()
        else:
            self._feed(OperatorAccepts())

    def operator_skips(self) -> None:
        """The operator gives the point up."""
        self._feed(OperatorSkips())

    def cancel(self) -> None:
        """Stop and put the calibration of before in force again."""
        self._stop_validation()
        self._feed(Cancel())

    def screen_changed(self) -> None:
        """Another screen, size or scaling than at the start."""
        self._stop_validation()
        self._feed(ScreenChanged())

    def redo_point(self, index: int) -> None:
        """Show one calibration point again."""
        self._stop_validation()
        self._feed(RedoPoint(index))

    def redo_all(self) -> None:
        """Show all points again."""
        self._stop_validation()
        self._feed(RedoAll())

    def validate_again(self) -> None:
        """Validate the newest attempt once more."""
        if self.is_in_review and self.engine.attempts and self.engine.attempts[-1].is_usable:
            self._begin_validation()

    def accept(self, number: int | None = None, *, override_reason: str = "") -> None:
        """Keep an attempt (by its number from 1; the newest by default).

        Raises:
            UserFacingError: something speaks against it and no reason was given, or there is nothing to keep.
        """
        if not self.is_in_review:
            raise UserFacingError("There is nothing to accept yet.", "Wait until the validation has ended.")
        reviewed = self.reviewed()
        chosen = reviewed[(number or len(reviewed)) - 1]
        reason = override_reason.strip()
        if chosen.objections and not can_be_overridden(chosen.attempt):
            raise UserFacingError(chosen.objections[0], "Repeat the calibration.")
        if chosen.objections and not reason:
            raise UserFacingError(
                f"This calibration is not good enough: {chosen.objections[0]}",
                "Repeat it, or give a reason for using it all the same; the reason is stored.",
            )
        self._override = reason if chosen.objections else ""
        self._feed(AcceptAttempt(chosen.attempt.number - 1))

    # --- inside ----------------------------------------------------------------------------------------------------

    def _feed(self, event: Event) -> None:
        before = self.engine.state
        for command in self.engine.handle(event, self.source.now_ns()):
            self.source.submit(command)
        if self.engine.state is before:
            return
        log.info("calibration: %s -> %s", before.value, self.engine.state.value)
        if self.engine.state is State.REVIEW and self.engine.attempts[-1].is_usable:
            self._begin_validation()
        elif self.engine.state in (State.LEAVE, State.ENDED):
            self._stop_validation()
        if self.engine.state is State.ENDED and self.engine.ending is Ending.ACCEPTED:
            self._keep()

    def _begin_validation(self) -> None:
        self._validation_run = ValidationRun(
            self.source, profile=self.profile, calibrated=self.profile.points, distance_mm=self.distance_mm
        )
        self._validation_run.start()

    def _stop_validation(self) -> None:
        if self._validation_run is not None:
            self._validation_run.cancel()
            self._validation_run = None

    def _tick_validation(self) -> None:
        run = self._validation_run
        if run is None:
            return
        run.tick()
        if run.is_complete:
            self._validations[self.engine.attempts[-1].number] = run.validation()
        if run.is_over:
            self._validation_run = None

    def _show(self) -> None:
        """Tell a simulated eye where to look."""
        if self._validation_run is not None:
            self._shown = None
            return
        point = self.engine.view().point
        if point != self._shown and point is not None:
            self.source.show(point)
        self._shown = point

    def _keep(self) -> None:
        attempt = self.engine.accepted
        if attempt is None:
            return
        measured = self.head.distance_mm
        distance = measured if np.isfinite(measured) else self.distance_mm
        self.record = CalibrationRecord(
            blob=attempt.blob or b"",
            surroundings=self.source.surroundings(self.annotator, distance_mm=float(distance)),
            made_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            profile=self.profile.name,
            points=self.profile.points,
            eyes=self.profile.eyes,
            validation=self._validations.get(attempt.number),
            override_reason=self._override,
            software=VERSION,
            n_attempts=len(self.engine.attempts),
            is_simulated=self._is_simulated,
        )
        if self._store is not None:
            self._store.add(self.record)


def calibrations_folder() -> Path:
    """Where this user's calibrations lie."""
    return data_folder() / "calibrations"


def as_journal(record: CalibrationRecord) -> dict[str, object]:
    """What a session keeps of the calibration in force (its data goes beside it, as a blob)."""
    return {
        "made_at": record.made_at,
        "reason": "accepted",
        "profile": record.profile,
        "eyes": record.eyes.value,
        "points": [list(point) for point in record.points],
        "override_reason": record.override_reason,
        "validation": record.validation.as_json() if record.validation else None,
    }
