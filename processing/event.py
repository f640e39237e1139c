"""Eye movement events: what every detector gives, whatever its method."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from domain.fixations import Fixations


class EventKind(IntEnum):
    """What the eye did; the four words of Tobii Pro Lab."""

    UNCLASSIFIED = 0
    FIXATION = 1
    SACCADE = 2
    EYES_NOT_FOUND = 3


@dataclass(frozen=True)
class Event:
    """One event: samples `first` to `last` of the run, both included.

    onset_ns, offset_ns: midway to the neighbouring samples, so that an event lasts (last - first + 1) intervals.
    centre_norm: mean gaze on the display area, 0-1. dispersion_deg: root mean square distance of the samples from it.
    peak_deg_s: highest angular speed, NaN where the detector has none. pupil_mm: mean of the eyes in use, or NaN.
    """

    kind: EventKind
    first: int
    last: int
    onset_ns: int
    offset_ns: int
    centre_norm: tuple[float, float]
    dispersion_deg: float
    peak_deg_s: float
    pupil_mm: float

    @property
    def duration_ms(self) -> float:
        """Length in milliseconds."""
        return (self.offset_ns - self.onset_ns) / 1e6


@dataclass(frozen=True)
class Detection:
    """All events of a run of samples, in time order, and with what they were found."""

    detector: str
    parameters: dict[str, object]
    parameters_digest: str
    n_samples: int
    events: tuple[Event, ...]

    @property
    def fixations(self) -> Fixations:
        """The fixations, as arrays."""
        return fixations_of(self.events)

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The kind of movement per sample (n_samples,): values of `EventKind`."""
        labels = np.full(self.n_samples, EventKind.UNCLASSIFIED, np.uint8)
        for event in self.events:
            labels[event.first : event.last + 1] = event.kind
        return labels


def fixations_of(events: tuple[Event, ...] | list[Event]) -> Fixations:
    """The fixations among the events, as arrays."""
    found = [event for event in events if event.kind == EventKind.FIXATION]
    return Fixations(
        first=np.array([event.first for event in found], np.int64),
        last=np.array([event.last for event in found], np.int64),
        onset_ns=np.array([event.onset_ns for event in found], np.int64),
        offset_ns=np.array([event.offset_ns for event in found], np.int64),
        centre_norm=np.array([event.centre_norm for event in found], np.float64).reshape(-1, 2),
        dispersion_deg=np.array([event.dispersion_deg for event in found], np.float64),
        pupil_mm=np.array([event.pupil_mm for event in found], np.float64),
    )
