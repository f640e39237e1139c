"""What can happen to a calibration, and what it tells the screen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from calibration.stability import NOBODY, Stability
from calibration.target import Answer, ComputeResult
from domain.calibration import Point


class State(str, Enum):
    """Where a calibration stands."""

    IDLE = "idle"
    POSITION = "position"
    ENTERING = "entering"
    TRAVEL = "travel"
    SETTLE = "settle"
    COLLECT = "collect"
    VERDICT = "verdict"
    COMPUTE = "compute"
    REVIEW = "review"
    LEAVE = "leave"
    ENDED = "ended"


class Ending(str, Enum):
    """How a calibration ended."""

    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    NOBODY_THERE = "nobody in front of the tracker"
    TRACKER_LOST = "the tracker was lost"
    NO_ANSWER = "the tracker does not answer"
    REFUSED = "the tracker refused"
    SCREEN_CHANGED = "the screen changed"
    NO_DECISION = "nobody decided"


@dataclass(frozen=True)
class Start:
    """Begin: first the annotator's position."""


@dataclass(frozen=True)
class Tick:
    """A moment passes; the gaze and the head's position as they are now."""

    stability: Stability = NOBODY
    is_well_placed: bool = False


@dataclass(frozen=True)
class Answered:
    """The tracker answered a command."""

    answer: Answer


@dataclass(frozen=True)
class KeyPressed:
    """The annotator says: I look at it."""


@dataclass(frozen=True)
class OperatorAccepts:
    """The operator says: go on (position is good, or the gaze is on the target)."""


@dataclass(frozen=True)
class OperatorSkips:
    """The operator gives this point up."""


@dataclass(frozen=True)
class Cancel:
    """Esc, the window closed, the operator stops."""


@dataclass(frozen=True)
class TrackerGone:
    """The connection was lost."""


@dataclass(frozen=True)
class ScreenChanged:
    """Another screen, size or scaling than at the start."""


@dataclass(frozen=True)
class RedoPoint:
    """In review: show one point again."""

    index: int


@dataclass(frozen=True)
class RedoAll:
    """In review: show all points again."""


@dataclass(frozen=True)
class AcceptAttempt:
    """In review: keep this attempt (counted from 0)."""

    attempt: int


Event = (
    Start
    | Tick
    | Answered
    | KeyPressed
    | OperatorAccepts
    | OperatorSkips
    | Cancel
    | TrackerGone
    | ScreenChanged
    | RedoPoint
    | RedoAll
    | AcceptAttempt
)


@dataclass(frozen=True)
class PointVerdict:
    """What became of one point: how often it was shown, which eyes succeeded, and why not."""

    point: Point
    n_tries: int = 0
    eyes_ok: tuple[bool, bool] = (False, False)
    is_ok: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Attempt:
    """One computed calibration: its points, what the tracker used of them, and its data."""

    number: int
    verdicts: tuple[PointVerdict, ...]
    result: ComputeResult
    blob: bytes | None
    problem: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the tracker computed and applied it."""
        return self.result.is_success

    def eyes_calibrated(self) -> tuple[bool, bool]:
        """For each eye, whether the tracker used samples of it at more than half of the points."""
        used = [samples.n_used() for samples in self.result.points]
        need = len(self.verdicts) / 2
        return sum(left > 0 for left, _ in used) > need, sum(right > 0 for _, right in used) > need


@dataclass(frozen=True)
class EngineView:
    """All that a screen needs: the state, the target's way, and what to say."""

    state: State
    since_ns: int
    deadline_ns: int | None
    point: Point | None
    previous_point: Point
    is_retry: bool
    n_done: int
    n_points: int
    verdicts: tuple[PointVerdict, ...]
    message: str
    ending: Ending | None
