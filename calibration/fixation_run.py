"""Targets shown one after another until gaze rests on each: what validation and drift check have in common.

A pure state machine like the calibration's, without a tracker: it says when to look at which samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from calibration.engine_events import Cancel, KeyPressed, OperatorAccepts, ScreenChanged, Tick, TrackerGone
from domain.calibration import Point

AWAY_S = 2.0
RunEvent = Tick | Cancel | TrackerGone | ScreenChanged | KeyPressed | OperatorAccepts


class RunState(str, Enum):
    """Where a run stands."""

    IDLE = "idle"
    TRAVEL = "travel"
    SETTLE = "settle"
    COLLECT = "collect"
    DONE = "done"
    ENDED = "ended"


@dataclass(frozen=True)
class RunPace:
    """Times in seconds. must_be_stable: without a stable look the point is given up instead of measured as it is.

    A validation measures also an unsteady look (leaving it out would flatter the figures); a drift check does not,
    since a correction made of it would be wrong.
    """

    travel_s: float = 0.6
    shrink_s: float = 0.5
    rest_s: float = 0.5
    wait_s: float = 3.0
    collect_s: float = 1.0
    must_be_stable: bool = False
    point_limit_s: float = 8.0


@dataclass(frozen=True)
class Look:
    """When somebody looked at a point: samples with start <= time < end count. reason: why there are none."""

    point: Point
    start_ns: int = 0
    end_ns: int = 0
    is_stable: bool = False
    reason: str = ""

    @property
    def has_window(self) -> bool:
        """Whether there is anything to measure."""
        return self.end_ns > self.start_ns


class FixationRun:
    """Shows `points` in order and collects one look at each. Every event brings the time in nanoseconds."""

    def __init__(self, points: tuple[Point, ...], pace: RunPace | None = None) -> None:
        if not points:
            raise ValueError("a run needs at least one point")
        self.points = points
        self.pace = pace or RunPace()
        self.looks: list[Look] = []
        self.reason = ""
        self._state = RunState.IDLE
        self._since_ns = 0
        self._index = 0
        self._shown_ns = 0
        self._seen_ns: int | None = None
        self._n_ticks = 0
        self._n_steady = 0
        self._previous: Point = (0.5, 0.5)

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._state

    @property
    def since_ns(self) -> int:
        """When the state began."""
        return self._since_ns

    @property
    def point(self) -> Point:
        """The point shown now."""
        return self.points[min(self._index, len(self.points) - 1)]

    @property
    def previous_point(self) -> Point:
        """Where the target comes from."""
        return self._previous

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self._state in (RunState.DONE, RunState.ENDED)

    def start(self, now_ns: int, *, previous: Point = (0.5, 0.5)) -> None:
        """Show the first point."""
        if self._state is RunState.IDLE:
            self._previous = previous
            self._shown_ns = now_ns
            self._go(RunState.TRAVEL, now_ns)

    def handle(self, event: RunEvent, now_ns: int) -> None:
        """Take one event."""
        if self.is_over or self._state is RunState.IDLE:
            return
        if isinstance(event, (Cancel, TrackerGone, ScreenChanged)):
            words = {Cancel: "cancelled", TrackerGone: "the tracker was lost", ScreenChanged: "the screen changed"}
            self._stop(words[type(event)], now_ns)
        elif isinstance(event, Tick):
            self._on_tick(event, now_ns)
        elif self._state is RunState.SETTLE and self._passed(now_ns) >= self.pace.shrink_s:
            self._collect(now_ns, is_stable=True)

    def _on_tick(self, tick: Tick, now_ns: int) -> None:
        if tick.stability.is_anybody_there or self._seen_ns is None:
            self._seen_ns = now_ns
        passed = self._passed(now_ns)
        if self._state is RunState.TRAVEL and passed >= self.pace.travel_s:
            self._go(RunState.SETTLE, now_ns)
        elif self._state is RunState.SETTLE:
            self._on_settling(tick, now_ns)
        elif self._state is RunState.COLLECT:
            self._on_collecting(tick, now_ns)

    def _on_settling(self, tick: Tick, now_ns: int) -> None:
        passed = self._passed(now_ns)
        if tick.stability.is_stable and passed >= self.pace.rest_s:
            self._collect(now_ns, is_stable=True)
        elif passed >= self.pace.rest_s + self.pace.wait_s:
            gone = self._seen_ns is not None and now_ns - self._seen_ns >= AWAY_S * 1e9
            if self.pace.must_be_stable:
                self._give_up("nobody is seen" if gone else tick.stability.reason or "no stable look", now_ns)
            else:
                self._collect(now_ns, is_stable=False)

    def _collect(self, now_ns: int, *, is_stable: bool) -> None:
        self._n_ticks = self._n_steady = int(is_stable)
        self._go(RunState.COLLECT, now_ns)

    def _on_collecting(self, tick: Tick, now_ns: int) -> None:
        self._n_ticks += 1
        self._n_steady += tick.stability.is_stable
        if self.pace.must_be_stable and not tick.stability.is_stable:
            # The look at a drift dot must hold for the whole time, so a break begins it again.
            if (now_ns - self._shown_ns) / 1e9 >= self.pace.point_limit_s:
                self._give_up(tick.stability.reason or "no stable look", now_ns)
            else:
                self._go(RunState.SETTLE, now_ns)
        elif self._passed(now_ns) >= self.pace.collect_s:
            end_ns = self._since_ns + round(self.pace.collect_s * 1e9)
            is_stable = self._n_steady > 0.5 * self._n_ticks
            self.looks.append(Look(self.point, self._since_ns, end_ns, is_stable))
            self._next(now_ns)

    def _give_up(self, reason: str, now_ns: int) -> None:
        self.looks.append(Look(self.point, reason=reason))
        self._next(now_ns)

    def _next(self, now_ns: int) -> None:
        self._previous = self.point
        self._index += 1
        self._shown_ns = now_ns
        self._go(RunState.TRAVEL if self._index < len(self.points) else RunState.DONE, now_ns)

    def _stop(self, reason: str, now_ns: int) -> None:
        self.reason = reason
        self._go(RunState.ENDED, now_ns)

    def _go(self, state: RunState, now_ns: int) -> None:
        self._state = state
        self._since_ns = now_ns

    def _passed(self, now_ns: int) -> float:
        return (now_ns - self._since_ns) / 1e9
