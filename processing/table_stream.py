"""What all detectors share: rows come in, a classifier says what each one is, runs of them become events."""

from __future__ import annotations

from typing import Protocol

from domain.display import Display
from domain.gaze import GazeSamples
from processing.event import Event
from processing.event_runs import EventRules, EventRuns
from processing.gaze_table import GazeCleaning, GazeTable

KEPT_ROWS = 256
FORGET_ROWS = 1024
"""Rows are forgotten in stretches: each time costs a move of what is kept."""


class Classifier(Protocol):
    """Writes LABEL (and SPEED, where it has one) into the rows of a table."""

    def advance(self, table: GazeTable, *, is_final: bool) -> int:
        """Label as many rows as can be; how many rows from the front now have a label for good."""
        ...

    def n_behind(self, table: GazeTable) -> int:
        """How many rows behind the last labelled one it still reads."""
        ...

    def forget(self, n_rows: int) -> None:
        """The table dropped rows from its front."""
        ...


class TableStream:
    """A detector on samples as they come: `DetectorStream` for any classifier."""

    def __init__(self, display: Display, cleaning: GazeCleaning, rules: EventRules, classifier: Classifier) -> None:
        self._table = GazeTable(cleaning, display)
        self._runs = EventRuns(self._table, rules)
        self._classifier = classifier

    def push(self, samples: GazeSamples) -> list[Event]:
        """Add samples; the events that became certain."""
        self._table.append(samples)
        return self._advance(is_final=False)

    def finish(self) -> list[Event]:
        """The remaining events: no more samples will come."""
        return self._advance(is_final=True)

    def provisional(self) -> Event | None:
        """The fixation that is going on, or None."""
        return self._runs.provisional()

    def _advance(self, *, is_final: bool) -> list[Event]:
        self._table.advance(is_final=is_final)
        n_labelled = self._classifier.advance(self._table, is_final=is_final)
        events = self._runs.advance(n_labelled, is_final=is_final)
        n_old = n_labelled - max(KEPT_ROWS, self._classifier.n_behind(self._table))
        if n_old > FORGET_ROWS:
            self._table.forget(n_old)
            self._runs.forget(n_old)
            self._classifier.forget(n_old)
        return events
