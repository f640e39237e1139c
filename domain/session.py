"""One sitting of one annotator: everything a session file holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.gaze import GazeSamples
from domain.markers import IMAGE_OFFSET, IMAGE_ONSET, VIEW_CHANGE, Marker, ViewLog


@dataclass(frozen=True)
class TrackerInfo:
    """What an eye tracker says about itself.

    capabilities: words of `acquisition.tracker` (calibration, monocular, openness, ...). rates_hz: those it can run at.
    display_area_mm: upper left, upper right and lower left corner in the tracker's user coordinate system, or nothing.
    """

    driver: str
    model: str = ""
    serial: str = ""
    firmware: str = ""
    software: str = ""
    address: str = ""
    rate_hz: float = 0.0
    rates_hz: tuple[float, ...] = ()
    capabilities: tuple[str, ...] = ()
    display_area_mm: tuple[tuple[float, float, float], ...] = ()
    is_simulated: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values for a message or a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrackerInfo:
        """The description from what `as_json` gave."""
        known = dict(values)
        known["rates_hz"] = tuple(known.get("rates_hz", ()))
        known["capabilities"] = tuple(known.get("capabilities", ()))
        corners = known.get("display_area_mm", ())
        known["display_area_mm"] = tuple((float(x), float(y), float(z)) for x, y, z in corners)
        return cls(**known)


@dataclass(frozen=True)
class Notification:
    """Something the tracker or the host said: connection lost, calibration changed, disk low, a stream error."""

    time_ns: int
    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)


class GapCause(str, Enum):
    """Why samples are missing or unusable."""

    BLINK = "blink"
    EYES_LOST = "eyes lost"
    TRACKER_SILENT = "tracker silent"
    DISCONNECTED = "disconnected"
    OVERFLOW = "our overflow"


@dataclass(frozen=True)
class Gap:
    """A stretch without usable gaze: from the last good sample to the next, and why."""

    start_ns: int
    end_ns: int
    cause: GapCause
    n_missing: int = 0

    @property
    def duration_ms(self) -> float:
        """Length in milliseconds."""
        return (self.end_ns - self.start_ns) / 1e6


@dataclass(frozen=True)
class OnlineFixation:
    """A fixation as it was seen while the session ran: start, update and end share one number."""

    number: int
    phase: str
    time_ns: int
    onset_ns: int
    offset_ns: int
    centre_norm: tuple[float, float]


@dataclass(frozen=True)
class SessionHeader:
    """Who recorded what with which machine.

    created_utc: ISO 8601. clock_epoch_ns: the host's monotonic clock at `created_utc`. settings: everything else that
    is needed to make the session's results again, as JSON values.
    """

    session_id: str
    created_utc: str
    clock_epoch_ns: int
    software_version: str
    tracker: TrackerInfo
    display: Display
    study: str = ""
    annotator: str = ""
    target: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_simulated(self) -> bool:
        """Whether the gaze is simulated."""
        return self.tracker.is_simulated


@dataclass(frozen=True)
class SessionTrial:
    """One image shown once: when, and where it lay."""

    trial_id: str
    image_id: str
    onset_ns: int
    offset_ns: int
    views: ViewLog
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionRecord:
    """A finished session.

    time_sync (n, 3): request, device and response stamp of each clock probe, microseconds.
    time_sync_residual_ms (n,): distance of each probe from the fitted line.
    calibrations, validations, drift_checks: JSON values in order of time; a calibration's blob is under "data" in hex.
    quality: figures over the whole session. ending: how the recording ended.
    """

    header: SessionHeader
    samples: GazeSamples
    markers: tuple[Marker, ...] = ()
    notifications: tuple[Notification, ...] = ()
    online_fixations: tuple[OnlineFixation, ...] = ()
    gaps: tuple[Gap, ...] = ()
    time_sync: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    time_sync_residual_ms: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    calibrations: tuple[Mapping[str, Any], ...] = ()
    validations: tuple[Mapping[str, Any], ...] = ()
    drift_checks: tuple[Mapping[str, Any], ...] = ()
    quality: Mapping[str, Any] = field(default_factory=dict)
    ending: str = "complete"

    def trials(self) -> list[SessionTrial]:
        """The images shown, in order; one that never went off ends with the last sample."""
        last_ns = int(self.samples.time_ns[-1]) if len(self.samples) else 0
        return trials_of(self.markers, last_ns)

    def samples_of(self, trial: SessionTrial) -> GazeSamples:
        """The samples from the trial's onset to its offset."""
        first, last = np.searchsorted(self.samples.time_ns, [trial.onset_ns, trial.offset_ns])
        return self.samples[slice(int(first), int(last))]


def trials_of(markers: Iterable[Marker], last_ns: int) -> list[SessionTrial]:
    """The images that markers speak of, in order of time; one that never went off ends at `last_ns`."""
    shown: dict[str, list[Marker]] = {}
    for marker in markers:
        if marker.kind in (IMAGE_ONSET, IMAGE_OFFSET, VIEW_CHANGE) and "trial_id" in marker.payload:
            shown.setdefault(str(marker.payload["trial_id"]), []).append(marker)
    found = []
    for trial_id, own in shown.items():
        onset = next((marker for marker in own if marker.kind == IMAGE_ONSET), None)
        if onset is None:
            continue
        offset = next((marker for marker in own if marker.kind == IMAGE_OFFSET), None)
        found.append(
            SessionTrial(
                trial_id=trial_id,
                image_id=str(onset.payload["image_id"]),
                onset_ns=onset.time_ns,
                offset_ns=offset.time_ns if offset else max(last_ns, onset.time_ns),
                views=ViewLog.from_markers(own),
                payload={**onset.payload, **(offset.payload if offset else {})},
            )
        )
    return sorted(found, key=lambda trial: trial.onset_ns)
