"""Targets shown to a person in front of a tracker, one look at each: the running half of validation and drift check."""

from __future__ import annotations

from calibration.animation import TargetLook, TargetPhase, target_look
from calibration.engine_events import Cancel, KeyPressed, OperatorAccepts, ScreenChanged, Tick, TrackerGone
from calibration.fixation_run import FixationRun, Look, RunPace, RunState
from calibration.geometry import ScreenPlane
from calibration.profiles import Profile
from calibration.stability import NEAR_TARGET_DEG, StabilityGate
from calibration.validation import point_quality
from domain.calibration import Point, PointQuality
from domain.gaze import GazeSamples
from workflows.gaze_source import GazeSource

SETTLE_DELAY_S = 0.15
"""The last samples of a window may arrive this late."""


class GazeRun:
    """Drives a `FixationRun` from a tracker's samples; `tick` is called at the frame rate and never waits."""

    def __init__(
        self,
        source: GazeSource,
        points: tuple[Point, ...],
        *,
        profile: Profile,
        distance_mm: float,
        pace: RunPace,
        near_deg: float | None = NEAR_TARGET_DEG,
    ) -> None:
        self.source = source
        self.profile = profile
        self.distance_mm = distance_mm
        self.run = FixationRun(points, pace)
        self._gate = StabilityGate(
            profile.window_ms, profile.min_valid, profile.dispersion_deg, near_deg if points else None, profile.eyes
        )
        self._windows: dict[int, GazeSamples] = {}
        self._shown: Point | None = None

    @property
    def plane(self) -> ScreenPlane:
        """The screen in the tracker's system."""
        return self.source.plane

    def start(self) -> None:
        """Show the first point."""
        self.run.start(self.source.now_ns())
        self._show()

    def tick(self) -> None:
        """A frame passes."""
        now = self.source.now_ns()
        if self.source.is_lost():
            self.run.handle(TrackerGone(), now)
            return
        state, point = self.run.state, self.run.point
        stability = self._gate.judge(
            self.source.latest(self.profile.window_ms * 1.5),
            self.plane,
            distance_mm=self.distance_mm,
            rate_hz=self.source.rate_hz,
            now_ns=now,
            not_before_ns=self.run.since_ns if state is RunState.SETTLE else None,
            target_norm=point,
        )
        self.run.handle(Tick(stability), now)
        self._take_windows(now)
        self._show()

    def key(self) -> None:
        """The annotator says: I look at it."""
        self.run.handle(KeyPressed(), self.source.now_ns())

    def accept(self) -> None:
        """The operator says: go on."""
        self.run.handle(OperatorAccepts(), self.source.now_ns())

    def cancel(self) -> None:
        """Stop at once."""
        self.run.handle(Cancel(), self.source.now_ns())

    def screen_changed(self) -> None:
        """Another screen, size or scaling: nothing measured so far belongs to it."""
        self.run.handle(ScreenChanged(), self.source.now_ns())

    @property
    def is_complete(self) -> bool:
        """Whether every look was taken and its samples have arrived."""
        return self.run.state is RunState.DONE and len(self._windows) == len(self.run.looks)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.run.state is RunState.ENDED or self.is_complete

    def look(self) -> TargetLook:
        """The target as it is to be drawn now."""
        run, pace, profile = self.run, self.run.pace, self.profile
        elapsed = (self.source.now_ns() - run.since_ns) / 1e9
        phase = {
            RunState.TRAVEL: TargetPhase.TRAVEL,
            RunState.SETTLE: TargetPhase.SHRINK if elapsed < pace.shrink_s else TargetPhase.PULSE,
            RunState.COLLECT: TargetPhase.PULSE,
        }.get(run.state, TargetPhase.HIDDEN)
        return target_look(
            phase,
            elapsed - (pace.shrink_s if run.state is RunState.SETTLE and phase is TargetPhase.PULSE else 0.0),
            start=run.previous_point,
            end=run.point,
            travel_s=pace.travel_s,
            shrink_s=pace.shrink_s,
            outer_deg=profile.outer_deg,
            inner_deg=profile.inner_deg,
        )

    def looks(self) -> list[tuple[Look, GazeSamples]]:
        """Each look with its samples (none where there was no look)."""
        return [(look, self._windows.get(index, GazeSamples.empty())) for index, look in enumerate(self.run.looks)]

    def qualities(self) -> list[PointQuality]:
        """Figures per point for left, right and binocular."""
        found: list[PointQuality] = []
        for look, samples in self.looks():
            # One sample fewer than the rate promises: where in the window the first one falls is chance.
            expected = int(self.source.rate_hz * (look.end_ns - look.start_ns) / 1e9) - 1 if look.has_window else 1
            found += point_quality(
                samples,
                look.point,
                self.plane,
                distance_mm=self.distance_mm,
                n_expected=max(expected, 1),
                is_stable=look.is_stable,
            )
        return found

    def _take_windows(self, now_ns: int) -> None:
        """Keep each window's samples as soon as they have arrived: the ring does not hold them for ever."""
        for index, look in enumerate(self.run.looks):
            if index not in self._windows and now_ns >= look.end_ns + SETTLE_DELAY_S * 1e9:
                window = self.source.between(look.start_ns, look.end_ns) if look.has_window else GazeSamples.empty()
                self._windows[index] = window

    def _show(self) -> None:
        point = None if self.run.is_over else self.run.point
        if point != self._shown:
            self._shown = point
            self.source.show(point)
