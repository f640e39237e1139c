"""What calibration needs of a tracker: commands that return at once, and answers that are fetched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.calibration import Eyes, Point
from domain.gaze import GazeSamples


class Step(str, Enum):
    """One thing a tracker is asked to do."""

    SAVE = "save the calibration in force"
    ENTER = "enter calibration mode"
    COLLECT = "collect gaze at a point"
    DISCARD = "discard a point"
    COMPUTE = "compute and apply"
    RETRIEVE = "retrieve the new calibration"
    LEAVE = "leave calibration mode"
    APPLY = "apply a calibration"


@dataclass(frozen=True)
class Command:
    """A request with a running number that its answer repeats. Points are exactly the floats used before."""

    request: int
    step: Step
    point: Point | None = None
    eyes: Eyes = Eyes.BOTH
    blob: bytes | None = None
    is_forced: bool = False


@dataclass(frozen=True)
class PointSamples:
    """What the tracker used of one point. gaze_norm (n, 2, 2), eye axis first; validity (n, 2).

    validity (Tobii SDK): 1 valid and used, 0 valid but not used, -1 invalid and not used.
    """

    point: Point
    gaze_norm: NDArray[np.float64]
    validity: NDArray[np.int8]

    def n_used(self) -> tuple[int, int]:
        """Samples used of the left and the right eye."""
        used = (self.validity == 1).sum(axis=0) if len(self.validity) else np.zeros(2, int)
        return int(used[0]), int(used[1])

    def n_unused(self) -> tuple[int, int]:
        """Samples not used of the left and the right eye."""
        unused = (self.validity != 1).sum(axis=0) if len(self.validity) else np.zeros(2, int)
        return int(unused[0]), int(unused[1])

    def offset_norm(self, eye: int) -> tuple[float, float] | None:
        """Mean of the used samples minus the point; None where there are none."""
        used = self.validity[:, eye] == 1 if len(self.validity) else np.zeros(0, np.bool_)
        if not used.any():
            return None
        mean = self.gaze_norm[used, eye].mean(axis=0)
        return float(mean[0] - self.point[0]), float(mean[1] - self.point[1])


@dataclass(frozen=True)
class ComputeResult:
    """What compute-and-apply gave; without success the tracker gives no points."""

    is_success: bool
    points: tuple[PointSamples, ...] = ()

    def at(self, point: Point) -> PointSamples | None:
        """The samples of one point, None where the tracker reported none."""
        for samples in self.points:
            if abs(samples.point[0] - point[0]) < 1e-4 and abs(samples.point[1] - point[1]) < 1e-4:
                return samples
        return None


@dataclass(frozen=True)
class Answer:
    """The outcome of one command. eyes_ok: for COLLECT, which eyes succeeded."""

    request: int
    is_ok: bool
    eyes_ok: tuple[bool, bool] = (True, True)
    blob: bytes | None = None
    result: ComputeResult | None = None
    error: str = ""


class CalibrationTarget(Protocol):
    """A tracker seen from calibration. No method waits.

    Commands are carried out one after another in the order given. SAVE and RETRIEVE answer with `blob` (None where
    the tracker has no calibration or cannot give it). LEAVE succeeds also when the mode is not on.
    """

    def submit(self, command: Command) -> None:
        """Hand over a command; its answer comes through `answers`."""
        ...

    def answers(self) -> list[Answer]:
        """Answers that arrived since the last call, oldest first."""
        ...

    def latest(self, duration_ms: float) -> GazeSamples:
        """The newest samples that span at most this long."""
        ...

    def between(self, start_ns: int, end_ns: int) -> GazeSamples:
        """The samples with start <= time < end, as far as they are still held."""
        ...

    def is_lost(self) -> bool:
        """Whether the tracker is gone."""
        ...
