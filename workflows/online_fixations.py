"""Fixations while they happen, from processing's streaming detector: start, updates and end share one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from domain.display import Display
from domain.gaze import GazeSamples
from domain.session import OnlineFixation
from processing.detector import Parameters, stream
from processing.event import Event, EventKind

START_MS = 60.0
"""A fixation is announced once it is too long to be discarded (the I-VT filter's shortest)."""

UPDATE_MS = 50.0


class OnlineDetector(Protocol):
    """What finds fixations while the samples come in."""

    def push(self, samples: GazeSamples) -> Sequence[OnlineFixation]:
        """Take samples; returns what is new: starts, updates, ends."""

    def finish(self) -> Sequence[OnlineFixation]:
        """The end of the recording; returns what was still open."""


class OnlineFixations:
    """Follows a detector's stream; what it ends with is exactly what the detector finds in the finished recording."""

    def __init__(self, display: Display, *, detector: str = "ivt", parameters: Parameters = None) -> None:
        self._stream = stream(detector, display, parameters)
        self._number = self._last_number = 0
        self._open: Event | None = None
        self._updated_ns = 0
        self._now_ns = 0

    def push(self, samples: GazeSamples) -> list[OnlineFixation]:
        """Take samples; what is new, in order of time."""
        if len(samples) == 0:
            return []
        self._now_ns = int(samples.time_ns[-1])
        found = self._ended(self._stream.push(samples))
        going_on = self._stream.provisional()
        # While a fixation is open, the one that follows may still be joined to it: it waits until that is decided.
        if going_on is not None and going_on.kind == EventKind.FIXATION and going_on.duration_ms >= START_MS:
            if self._open is None:
                found.append(self._begin(going_on))
            elif self._now_ns - self._updated_ns >= UPDATE_MS * 1e6:
                self._updated_ns = self._now_ns
                found.append(self._event("update", going_on, onset_ns=self._open.onset_ns))
        return found

    def finish(self) -> list[OnlineFixation]:
        """No more samples will come; what was still open ends."""
        found = self._ended(self._stream.finish())
        if self._open is not None:
            found.append(self._event("end", self._open))
            self._open = None
        return found

    def _ended(self, events: list[Event]) -> list[OnlineFixation]:
        found = []
        for event in events:
            if event.kind != EventKind.FIXATION:
                continue
            if self._open is not None and event.offset_ns <= self._open.onset_ns:
                # An earlier one is certain only now: it gets a number of its own, the open one goes on.
                self._last_number += 1
                found += [self._event(phase, event, number=self._last_number) for phase in ("start", "end")]
                continue
            if self._open is None:
                found.append(self._begin(event))
            found.append(self._event("end", event))
            self._open = None
        return found

    def _begin(self, event: Event) -> OnlineFixation:
        self._last_number += 1
        self._number = self._last_number
        self._open = event
        self._updated_ns = self._now_ns
        return self._event("start", event)

    def _event(self, phase: str, event: Event, *, onset_ns: int = 0, number: int = 0) -> OnlineFixation:
        return OnlineFixation(
            number=number or self._number,
            phase=phase,
            time_ns=self._now_ns,
            onset_ns=onset_ns or event.onset_ns,
            offset_ns=event.offset_ns,
            centre_norm=event.centre_norm,
        )
