"""What validation, drift check and calibration take from a tracker besides calibration commands."""

from __future__ import annotations

from typing import Protocol

from calibration.geometry import ScreenPlane
from calibration.target import CalibrationTarget
from domain.calibration import Point, Surroundings
from domain.gaze import GazeSamples


class GazeSource(Protocol):
    """A stream of gaze that can be looked back into."""

    @property
    def plane(self) -> ScreenPlane:
        """The screen in the tracker's system."""
        ...

    @property
    def rate_hz(self) -> float:
        """Nominal samples per second."""
        ...

    def now_ns(self) -> int:
        """Now on the clock of the samples."""
        ...

    def latest(self, duration_ms: float) -> GazeSamples:
        """The newest samples that span at most this long."""
        ...

    def between(self, start_ns: int, end_ns: int) -> GazeSamples:
        """Samples with start <= time < end."""
        ...

    def is_lost(self) -> bool:
        """Whether the tracker is gone."""
        ...

    def show(self, point: Point | None) -> None:
        """Tell a simulated eye where the target is; nothing for a real one."""
        ...


class CalibratedSource(GazeSource, CalibrationTarget, Protocol):
    """A stream of gaze from a tracker that can be calibrated."""

    def surroundings(self, annotator: str, *, distance_mm: float) -> Surroundings:
        """What a calibration made now belongs to."""
        ...
