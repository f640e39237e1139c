"""What every eye tracker is to us: one class with one interface, one file per make in `acquisition/trackers`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.errors import TrackerError
from domain.registry import Registry
from domain.scene import Scene, display_as_json, display_from_json
from domain.session import TrackerInfo

CAN_CALIBRATE = "calibration"
CAN_CALIBRATE_ONE_EYE = "monocular calibration"
CAN_SET_DISPLAY_AREA = "set display area"
HAS_OPENNESS = "eye openness"
HAS_POSITION_GUIDE = "user position guide"
HAS_EXTERNAL_SIGNAL = "external signal"
HAS_TIME_PROBES = "time probes"
"""Capabilities, in words that the screens may show."""

CONNECTION_LOST = "connection_lost"
CONNECTION_RESTORED = "connection_restored"
CALIBRATION_CHANGED = "calibration_changed"
DISPLAY_AREA_CHANGED = "display_area_changed"
STREAM_OVERFLOW = "stream_buffer_overflow"
STREAM_ERROR = "stream_error"
EXTERNAL_SIGNAL = "external_signal"
HOST_LATE = "host_late"
"""Kinds of notification that the host acts on or that gaps are explained by."""


@dataclass(frozen=True)
class TrackerSettings:
    """How to open a tracker.

    address: which one, where several are found ("" = the first). rate_hz: 0 = the tracker's own.
    speed: only for trackers that make their own time (simulated, replay): 1 = real time, 10 = ten times faster,
    0 = time stands still except when it is told to advance. options: what only this driver knows.
    """

    driver: str = "simulated"
    address: str = ""
    rate_hz: float = 0.0
    speed: float = 1.0
    seed: int = 1
    display: Display = field(default_factory=lambda: Display((1920, 1080), (527.0, 296.0)))
    options: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values

    def __post_init__(self) -> None:
        if self.rate_hz < 0 or self.speed < 0:
            raise ValueError(f"rate and speed must not be negative, got {self.rate_hz} and {self.speed}")

    def as_json(self) -> dict[str, Any]:
        """Plain values for a message."""
        values = asdict(self)
        values["display"] = display_as_json(self.display)
        values["options"] = dict(self.options)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrackerSettings:
        """The settings from what `as_json` gave."""
        known = dict(values)
        known["display"] = display_from_json(known["display"])
        return cls(**known)


class Clock(Protocol):
    """The host's clock: nanoseconds, never falling; real, faster, or standing still."""

    def now_ns(self) -> int:
        """Now."""
        ...

    def advance_to(self, time_ns: int) -> None:
        """Move a clock that stands still; only for drivers that make their own time."""
        ...


class SampleSink(Protocol):
    """Where a driver puts what it sees; called on the driver's own threads, never blocks in real time."""

    def samples(self, rows: NDArray[np.void]) -> None:
        """Rows of `SAMPLE_RECORD` in order of time; the host fills seq, segment, and time_ns where it is 0."""
        ...

    def packed_sample(self, device_us: int, system_us: int, row: bytearray) -> None:
        """One row of `SAMPLE_RECORD` as 128 bytes: the quick way for a callback per sample."""
        ...

    def time_probe(self, request_us: int, device_us: int, response_us: int) -> None:
        """One probe of the device clock between two readings of the system clock."""
        ...

    def notify(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Something that is not a sample."""
        ...

    def wait_for_room(self, n: int) -> None:
        """Wait until n rows fit; only for drivers that make their own time."""
        ...


class Tracker(ABC):
    """An eye tracker that is opened by its constructor and streams between `start` and `stop`."""

    name = ""
    label = ""
    needs = ""
    install_hint = ""
    system_offset_ns = 0
    """Host clock minus the clock of `system_us`, nanoseconds; known once the tracker is open."""

    tells_calibration = True
    """Whether `calibration_data` gives the calibration in force at any time, so that two can be compared."""

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock

    @classmethod
    def discover(cls) -> list[TrackerInfo]:
        """The trackers of this kind that can be reached now; may take seconds.

        Raises:
            MissingPackageError: the package of this driver is not installed.
        """
        return []

    @property
    @abstractmethod
    def info(self) -> TrackerInfo:
        """What the tracker says about itself now."""

    @abstractmethod
    def start(self, sink: SampleSink) -> None:
        """Stream into the sink until `stop`."""

    @abstractmethod
    def stop(self) -> None:
        """Stop streaming; when it returns, the sink is not called any more."""

    def close(self) -> None:
        """Let the tracker go."""
        self.stop()

    def reconnect(self) -> None:
        """Find the same tracker again after its connection was lost, without starting the stream.

        Raises:
            TrackerError: it is not there (yet).
        """
        raise TrackerError(f"{self.label} cannot be reconnected.")

    def set_scene(self, scene: Scene) -> None:
        """What is on the screen now; only a simulated eye wants to know."""
        return

    def point_at(self, x_norm: float, y_norm: float) -> None:
        """Where the pointer is; only the mouse driver wants to know."""
        return

    def advance(self, duration_ns: int) -> None:
        """Let so much time pass, for trackers whose time stands still otherwise."""
        raise TrackerError(f"{self.label} runs in real time and cannot be advanced.")

    def position_guide(self) -> dict[str, Any]:
        """Where the eyes are in the track box: `left` and `right` as (x, y, z) 0-1, or None."""
        return {}

    def set_display_area(self, corners_mm: tuple[tuple[float, float, float], ...]) -> None:
        """Tell the tracker where the screen is: upper left, upper right, lower left corner."""
        raise TrackerError(f"{self.label} cannot be told where the screen is.")

    def enter_calibration(self, eyes: str = "both") -> None:
        """Begin a calibration; the one in force ends."""
        raise TrackerError(f"{self.label} cannot be calibrated.")

    def collect(self, point_norm: tuple[float, float], eyes: str = "both") -> str:
        """Take data while the person looks at a point: "success", "success_left", "success_right" or "failure"."""
        raise TrackerError(f"{self.label} cannot be calibrated.")

    def discard(self, point_norm: tuple[float, float], eyes: str = "both") -> None:
        """Forget the data of a point."""
        raise TrackerError(f"{self.label} cannot be calibrated.")

    def compute_calibration(self) -> dict[str, Any]:
        """Compute and apply: status, and per point its samples per eye with how they were used.

        {"status": as `collect`, "points": [{"point": [x, y], "left": [[x, y, validity], ...], "right": [...]}]};
        validity: -1 invalid, 0 valid but not used, 1 used.
        """
        raise TrackerError(f"{self.label} cannot be calibrated.")

    def leave_calibration(self) -> None:
        """End calibration mode, also when it was not entered."""
        return

    def calibration_data(self) -> bytes:
        """The calibration in force as the tracker stores it; empty where there is none."""
        return b""

    def apply_calibration(self, data: bytes) -> None:
        """Put an earlier calibration in force."""
        raise TrackerError(f"{self.label} cannot be calibrated.")


trackers: Registry[type[Tracker]] = Registry("tracker", "acquisition.trackers")
