"""The samples and markers of the trial that runs or has just ended, kept in memory for whoever needs them at once."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.markers import Marker
from domain.session import SessionTrial, trials_of

LEAD_NS = 500_000_000
"""Samples so long before a trial are kept with it, so that a fixation in flight is recognised as one."""

_NEVER_NS = 1 << 62


class TrialMemory:
    """Takes in all samples, and keeps those of one trial with a little before it."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.void]] = []
        self._lead: deque[NDArray[np.void]] = deque()
        self._until_ns = 0
        self._markers: list[Marker] = []

    def begin(self) -> None:
        """A trial begins; the one before is forgotten."""
        self._rows, self._markers = list(self._lead), []
        self._until_ns = _NEVER_NS

    def mark(self, marker: Marker) -> None:
        """A marker of the trial."""
        self._markers.append(marker)

    def end(self) -> None:
        """The trial ended with its newest marker."""
        self._until_ns = self._markers[-1].time_ns

    def take(self, rows: NDArray[np.void]) -> None:
        """New samples, at least one."""
        self._lead.append(rows)
        while self._lead[0]["time_ns"][-1] < rows["time_ns"][-1] - LEAD_NS:
            self._lead.popleft()
        if rows["time_ns"][0] <= self._until_ns:
            self._rows.append(rows)

    def last(self) -> tuple[SessionTrial, GazeSamples]:
        """The trial and its samples so far, with some before its onset.

        Raises:
            ValueError: no trial has begun.
        """
        rows = np.concatenate(self._rows) if self._rows else np.zeros(0, SAMPLE_RECORD)
        trials = trials_of(self._markers, int(rows["time_ns"][-1]) if len(rows) else 0)
        if not trials:
            raise ValueError("no trial has begun")
        trial = trials[-1]
        known = (rows["time_ns"] >= trial.onset_ns - LEAD_NS) & (rows["time_ns"] <= trial.offset_ns)
        return trial, GazeSamples.from_records(rows[known])
