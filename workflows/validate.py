"""Validate: how accurate and precise gaze is now, on points that were not calibrated on."""

from __future__ import annotations

from datetime import datetime, timezone

from calibration.fixation_run import RunPace
from calibration.position import measured_rate_hz
from calibration.profiles import Profile, fresh_points, profile_of
from calibration.validation import validate
from domain.calibration import Point, Validation
from domain.gaze import GazeSamples
from workflows.gaze_run import GazeRun
from workflows.gaze_source import GazeSource

SLOW_HZ, SLOW_COLLECT_S = 60.0, 1.0
"""A slow tracker needs a second per point: at 18 samples SD varies by 12 % and at 36 by 8 %."""


class ValidationRun(GazeRun):
    """Fresh points one after another; `validation` has the figures when `is_complete`."""

    def __init__(
        self,
        source: GazeSource,
        *,
        profile: Profile | None = None,
        calibrated: tuple[Point, ...] = (),
        points: tuple[Point, ...] = (),
        distance_mm: float = 650.0,
    ) -> None:
        profile = profile or profile_of("adult")
        super().__init__(
            source,
            points or fresh_points(calibrated),
            profile=profile,
            distance_mm=distance_mm,
            pace=RunPace(
                travel_s=0.8 * profile.travel_s,
                shrink_s=0.8 * profile.shrink_s,
                rest_s=0.8 * profile.rest_s,
                wait_s=profile.stable_wait_s,
                collect_s=max(profile.validation_s, SLOW_COLLECT_S if source.rate_hz <= SLOW_HZ else 0.0),
            ),
            # A gaze that is off must be measured, not waited for.
            near_deg=None,
        )

    def validation(self) -> Validation:
        """The figures of all points and the grade."""
        samples = GazeSamples.concatenate([window for _, window in self.looks()])
        rates = [measured_rate_hz(window) for _, window in self.looks() if len(window) > 1]
        rate = sum(rates) / len(rates) if len(samples) and rates else float("nan")
        return validate(
            self.qualities(),
            eyes=self.profile.eyes,
            made_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            rate_hz=rate,
        )
