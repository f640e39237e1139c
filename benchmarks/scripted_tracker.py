"""A tracker that follows a script, and a person who follows the target: calibration against known faults.

It behaves as the Tobii SDK does: entering calibration mode clears the calibration in force, a point collected twice
without discard mixes old and new data, commands are answered one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from calibration.engine import CalibrationEngine
from calibration.engine_events import Answered, Cancel, Event, ScreenChanged, Start, State, Tick, TrackerGone
from calibration.stability import NOBODY, Stability
from calibration.target import Answer, Command, ComputeResult, PointSamples, Step

STABLE = Stability(True, 1.0, 0.2, (True, True))
MOVING = Stability(False, 1.0, 3.0, (True, True), "the eyes still move")
MS = 1_000_000

DELAY_S = {
    Step.SAVE: 0.05,
    Step.ENTER: 0.3,
    Step.COLLECT: 0.7,
    Step.DISCARD: 0.05,
    Step.COMPUTE: 0.6,
    Step.RETRIEVE: 0.05,
    Step.LEAVE: 0.2,
    Step.APPLY: 0.1,
}


@dataclass
class ScriptedTracker:
    """Answers commands after a delay; `spoil` may change or swallow an answer, `slow` its delay in seconds."""

    spoil: Callable[[Command, Answer, ScriptedTracker], Answer | None] = lambda _c, answer, _t: answer
    slow: Callable[[Command], float | None] = lambda _c: None
    eyes: tuple[bool, bool] = (True, True)
    active: bytes | None = b"the calibration of before"
    is_in_mode: bool = False
    log: list[Command] = field(default_factory=list)
    mixed: list[tuple[float, float]] = field(default_factory=list)
    _data: dict[tuple[float, float], int] = field(default_factory=dict)
    _due: list[tuple[int, Answer]] = field(default_factory=list)
    _busy_until_ns: int = 0
    n_computed: int = 0

    def submit(self, command: Command, now_ns: int) -> None:
        self.log.append(command)
        answer = self.spoil(command, self._do(command), self)
        delay = self.slow(command)
        delay = DELAY_S[command.step] if delay is None else delay
        # A forced leave does not wait behind a command that hangs.
        begin = now_ns if command.is_forced else max(now_ns, self._busy_until_ns)
        self._busy_until_ns = begin + round(delay * 1e9)
        if answer is not None:
            self._due.append((self._busy_until_ns, answer))

    def answers(self, now_ns: int) -> list[Answer]:
        ready = [answer for due, answer in self._due if due <= now_ns]
        self._due = [(due, answer) for due, answer in self._due if due > now_ns]
        return ready

    def _do(self, command: Command) -> Answer:
        step, point = command.step, command.point
        if step is Step.ENTER:
            self.is_in_mode, self.active = True, None
            self._data = {}
        elif step is Step.LEAVE:
            self.is_in_mode = False
        elif step is Step.APPLY:
            self.active = command.blob
        elif step is Step.COLLECT and point is not None:
            if point in self._data:
                self.mixed.append(point)
            self._data[point] = self._data.get(point, 0) + 1
            return Answer(command.request, any(self.eyes), self.eyes)
        elif step is Step.DISCARD and point is not None:
            self._data.pop(point, None)
        elif step is Step.COMPUTE:
            self.n_computed += 1
            self.active = f"calibration {self.n_computed}".encode()
            return Answer(command.request, True, result=ComputeResult(True, tuple(map(self._samples, self._data))))
        return Answer(command.request, True, blob=self.active if step in (Step.SAVE, Step.RETRIEVE) else None)

    def _samples(self, point: tuple[float, float]) -> PointSamples:
        validity = np.where(np.asarray(self.eyes), 1, -1).astype(np.int8)
        return PointSamples(point, np.tile(np.asarray(point) + 0.004, (20, 2, 1)), np.tile(validity, (20, 1)))


@dataclass
class Outcome:
    """What a scripted calibration came to."""

    engine: CalibrationEngine
    tracker: ScriptedTracker
    ended_s: float
    deadline_s: float
    """When the fault's deadline was: the moment leaving began."""
    states: list[State]


def cooperative(engine: CalibrationEngine, now_ns: int) -> Tick:
    """Somebody well placed whose gaze rests 0.35 s after the target came to rest."""
    view = engine.view()
    rests = view.state is State.SETTLE and now_ns - view.since_ns > 350 * MS
    return Tick(STABLE if rests else MOVING, is_well_placed=True)


def play(
    engine: CalibrationEngine,
    tracker: ScriptedTracker,
    *,
    person: Callable[[CalibrationEngine, int], Tick] = cooperative,
    events: Callable[[CalibrationEngine, int], list[Event]] = lambda _e, _n: [],
    limit_s: float = 900.0,
    step_ms: int = 16,
    until_review: bool = False,
) -> Outcome:
    """Run a calibration on a clock of its own, 60 frames a second, until it ends, or to its review."""
    now = 0
    states: list[State] = []
    left_s = float("nan")

    def feed(event: Event) -> None:
        for command in engine.handle(event, now):
            tracker.submit(command, now)
        if not states or states[-1] is not engine.state:
            states.append(engine.state)

    feed(Start())
    while now < limit_s * 1e9:
        for answer in tracker.answers(now):
            feed(Answered(answer))
        for event in events(engine, now):
            feed(event)
        feed(person(engine, now))
        if engine.state in (State.LEAVE, State.ENDED) and left_s != left_s:
            left_s = now / 1e9
        if engine.state is State.ENDED or (until_review and engine.state is State.REVIEW):
            break
        now += step_ms * MS
    return Outcome(engine, tracker, now / 1e9, left_s, states)


def once(
    event: Event, when: Callable[[CalibrationEngine, int], bool]
) -> Callable[[CalibrationEngine, int], list[Event]]:
    """An event that comes the first time a condition holds."""
    done: list[bool] = []

    def events(engine: CalibrationEngine, now_ns: int) -> list[Event]:
        if done or not when(engine, now_ns):
            return []
        done.append(True)
        return [event]

    return events


def in_state(state: State, after_ms: int = 0) -> Callable[[CalibrationEngine, int], bool]:
    """A condition: the calibration has been in this state for so long."""
    return lambda engine, now: engine.state is state and now - engine.view().since_ns >= after_ms * MS


def no_answer(step: Step) -> Callable[[Command, Answer, ScriptedTracker], Answer | None]:
    """A tracker that never answers one kind of command."""
    return lambda command, answer, _t: None if command.step is step else answer


def refuses(step: Step) -> Callable[[Command, Answer, ScriptedTracker], Answer | None]:
    """A tracker that answers one kind of command with an error."""
    return lambda command, answer, _t: (
        Answer(command.request, False, (False, False), error="scripted") if command.step is step else answer
    )


def leaves_in(state: State) -> Callable[[CalibrationEngine, int], Tick]:
    """A person who goes away for good once a state is reached."""
    gone: list[bool] = []

    def person(engine: CalibrationEngine, now_ns: int) -> Tick:
        if engine.state is state:
            gone.append(True)
        return Tick(NOBODY, is_well_placed=False) if gone else cooperative(engine, now_ns)

    return person


__all__ = [
    "MOVING",
    "STABLE",
    "Cancel",
    "Outcome",
    "ScreenChanged",
    "ScriptedTracker",
    "TrackerGone",
    "cooperative",
    "in_state",
    "leaves_in",
    "no_answer",
    "once",
    "play",
    "refuses",
]
