"""Every scripted fault of a calibration: where it ends, how long after its deadline, and whether the mode was left.

A fault's deadline is the moment from which the calibration cannot go on (the tracker is gone, an answer is overdue, Esc
was pressed); the figure is the time from there to the named end. [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.figure_table import Figure, arguments, show
from benchmarks.scripted_tracker import (
    Outcome,
    ScriptedTracker,
    in_state,
    leaves_in,
    no_answer,
    once,
    play,
    refuses,
)
from calibration.engine import CalibrationEngine
from calibration.engine_events import Cancel, Ending, ScreenChanged, State, TrackerGone
from calibration.profiles import profile_of
from calibration.target import Command, Step

LIMIT_S = 3.0


@dataclass(frozen=True)
class Fault:
    """One script: what happens, and the end it must come to. tracker, play: arguments, made anew for each run."""

    name: str
    ending: Ending | None
    tracker: Callable[[], dict[str, Any]] = field(default=dict)  # Any: keyword arguments
    play: Callable[[], dict[str, Any]] = field(default=dict)
    state: State = State.ENDED


def hang(step: Step, seconds: float) -> Callable[[Command], float | None]:
    """A tracker that takes so long for one kind of command."""
    return lambda command: seconds if command.step is step else None


def hang_once(step: Step, seconds: float) -> Callable[[Command], float | None]:
    """The same, but only the first time."""
    done: list[int] = []

    def slow(command: Command) -> float | None:
        if command.step is not step or done:
            return None
        done.append(1)
        return seconds

    return slow


def at(event: object, state: State, after_ms: int = 0) -> Callable[[], dict[str, Any]]:
    return lambda: {"events": once(event, in_state(state, after_ms))}  # type: ignore[arg-type]  # an event


FAULTS = (
    Fault("tracker lost while collecting", Ending.TRACKER_LOST, play=at(TrackerGone(), State.COLLECT, 200)),
    Fault("tracker lost while computing", Ending.TRACKER_LOST, play=at(TrackerGone(), State.COMPUTE)),
    Fault("tracker lost in review", Ending.TRACKER_LOST, play=at(TrackerGone(), State.REVIEW)),
    Fault(
        "tracker lost and mute",
        Ending.TRACKER_LOST,
        tracker=lambda: {"spoil": no_answer(Step.LEAVE)},
        play=at(TrackerGone(), State.COLLECT),
    ),
    Fault("save is never answered", Ending.NO_ANSWER, tracker=lambda: {"spoil": no_answer(Step.SAVE)}),
    Fault("enter is never answered", Ending.NO_ANSWER, tracker=lambda: {"spoil": no_answer(Step.ENTER)}),
    Fault("collect is never answered", Ending.NO_ANSWER, tracker=lambda: {"spoil": no_answer(Step.COLLECT)}),
    Fault("compute is never answered", Ending.NO_ANSWER, tracker=lambda: {"spoil": no_answer(Step.COMPUTE)}),
    Fault("retrieve is never answered", Ending.NO_ANSWER, tracker=lambda: {"spoil": no_answer(Step.RETRIEVE)}),
    Fault("save is refused", Ending.REFUSED, tracker=lambda: {"spoil": refuses(Step.SAVE)}),
    Fault("enter is refused", Ending.REFUSED, tracker=lambda: {"spoil": refuses(Step.ENTER)}),
    Fault(
        "collect hangs 10 s, then goes on",
        None,
        tracker=lambda: {"slow": hang_once(Step.COLLECT, 10.0)},
        state=State.REVIEW,
    ),
    Fault(
        "Esc while collect hangs 10 s",
        Ending.CANCELLED,
        tracker=lambda: {"slow": hang(Step.COLLECT, 10.0)},
        play=at(Cancel(), State.COLLECT, 100),
    ),
    Fault("compute fails", None, tracker=lambda: {"spoil": refuses(Step.COMPUTE)}, state=State.REVIEW),
    Fault("one eye only", None, tracker=lambda: {"eyes": (True, False)}, state=State.REVIEW),
    Fault("nobody comes", Ending.NOBODY_THERE, play=lambda: {"person": leaves_in(State.POSITION)}),
    Fault("person leaves in travel", Ending.NOBODY_THERE, play=lambda: {"person": leaves_in(State.TRAVEL)}),
    Fault("person leaves in settle", Ending.NOBODY_THERE, play=lambda: {"person": leaves_in(State.SETTLE)}),
    Fault("person leaves in collect", Ending.NOBODY_THERE, play=lambda: {"person": leaves_in(State.COLLECT)}),
    Fault("screen changed at a target", Ending.SCREEN_CHANGED, play=at(ScreenChanged(), State.SETTLE)),
    Fault("screen changed in review", Ending.SCREEN_CHANGED, play=at(ScreenChanged(), State.REVIEW)),
    Fault("nobody decides", Ending.NO_DECISION),
)


def run_fault(fault: Fault) -> Outcome:
    """Play one fault with a new calibration and a new tracker."""
    return play(
        CalibrationEngine(profile_of("adult"), seed=1),
        ScriptedTracker(**fault.tracker()),
        until_review=fault.state is State.REVIEW,
        **fault.play(),
    )


def fault_holds(fault: Fault, outcome: Outcome) -> bool:
    """Ended as named, in time, with the mode left (where it was ever entered)."""
    engine, tracker = outcome.engine, outcome.tracker
    if fault.state is State.REVIEW:
        return engine.state is State.REVIEW
    entered = any(command.step is Step.ENTER for command in tracker.log)
    left = not entered or (any(command.step is Step.LEAVE for command in tracker.log) and not tracker.is_in_mode)
    in_time = outcome.ended_s - outcome.deadline_s <= LIMIT_S
    return engine.state is State.ENDED and engine.ending is fault.ending and in_time and left


def escape_at_any_moment(n: int) -> tuple[int, float]:
    """Esc at n random moments of a calibration: how many ended well, and the longest time to the end."""
    rng = np.random.default_rng(1)
    good, slowest = 0, 0.0
    for moment_s in rng.uniform(0.0, 14.0, n):
        moment = round(moment_s * 1e9)
        outcome = play(
            CalibrationEngine(profile_of("adult"), seed=1),
            ScriptedTracker(),
            events=once(Cancel(), lambda _engine, now, moment=moment: now >= moment),  # type: ignore[misc]  # a default
        )
        took = outcome.ended_s - outcome.deadline_s
        slowest = max(slowest, took)
        tracker = outcome.tracker
        restored = tracker.active == b"the calibration of before" and not tracker.is_in_mode
        good += outcome.engine.ending is Ending.CANCELLED and restored and took <= LIMIT_S
    return good, slowest


def main() -> None:
    given = arguments(__doc__ or "").parse_args()
    rows = []
    for fault in FAULTS:
        outcome = run_fault(fault)
        ending = outcome.engine.ending
        words = ending.value if ending is not None else f"in {outcome.engine.state.value}"
        took = outcome.ended_s - outcome.deadline_s if ending is not None else 0.0
        rows.append(Figure(fault.name, f"{words[:20]}, {took:.2f} s", "named, ≤ 3 s", fault_holds(fault, outcome)))
    n = 50 if given.quick else 400
    good, slowest = escape_at_any_moment(n)
    rows.append(Figure(f"Esc at {n} random moments", f"{good} of {n}, {slowest:.2f} s", "all, ≤ 3 s", good == n))
    show("scripted faults of a calibration: where each ends, and how long after its deadline", rows)


if __name__ == "__main__":
    main()
