"""I-DT: dispersion threshold identification.

Source: Salvucci and Goldberg 2000, Identifying Fixations and Saccades in Eye-Tracking Protocols.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from domain.display import Display
from processing.compiled import compiled
from processing.detector import detectors
from processing.event_runs import EventRules
from processing.gaze_table import (
    AZIMUTH,
    BREAK,
    CHOSEN,
    ELEVATION,
    LABEL,
    NEW_EVENT,
    TIME,
    VALID,
    GazeCleaning,
    GazeTable,
    Table,
)
from processing.table_stream import TableStream

DONE, SEEN = 0, 1


@dataclass(frozen=True)
class IdtParameters:
    """A fixation is gaze that stays within `dispersion_deg` (width plus height) for at least `shortest_ms`."""

    cleaning: GazeCleaning = field(default_factory=lambda: GazeCleaning(noise="none"))
    dispersion_deg: float = 1.0
    shortest_ms: float = 100.0

    def __post_init__(self) -> None:
        if self.dispersion_deg <= 0 or self.shortest_ms <= 0:
            raise ValueError("dispersion_deg and shortest_ms must be positive")


class DispersionClassifier:
    """Fixation where the gaze stays within a small field for long enough, saccade elsewhere."""

    def __init__(self, parameters: IdtParameters) -> None:
        self._parameters = parameters
        self._state = np.zeros(2)

    def advance(self, table: GazeTable, *, is_final: bool) -> int:
        """Label the rows whose window has closed."""
        shortest_ns = self._parameters.shortest_ms * 1e6 - 0.5 * table.interval_ns
        _classify(
            table.rows,
            table.n_ready,
            self._state,
            self._parameters.dispersion_deg,
            shortest_ns - 0.5 * table.interval_ns,
            is_final,
        )
        return int(self._state[DONE])

    def n_behind(self, table: GazeTable) -> int:
        """Nothing behind the window."""
        return 1

    def forget(self, n_rows: int) -> None:
        """Follow the table."""
        self._state -= n_rows


@detectors.register("idt")
class Idt:
    """Dispersion threshold, as many published studies used it; robust neither against noise nor against drift."""

    parameters_type = IdtParameters
    presets = {"default": IdtParameters()}  # noqa: RUF012 - constant table, read only

    @staticmethod
    def stream(display: Display, parameters: IdtParameters) -> TableStream:
        """A detector for one run of samples; windows are maximal already, so nothing is merged."""
        rules = EventRules(merge_ms=0.0, merge_deg=0.0, discard_ms=0.0)
        return TableStream(display, parameters.cleaning, rules, DispersionClassifier(parameters))


@compiled
def _classify(rows: Table, n: int, state: Table, largest: float, shortest_ns: float, is_final: bool) -> None:
    """Label whole windows. State: rows labelled; rows of the open window known to fit together."""
    begin = int(state[DONE])
    while begin < n:
        if rows[begin, CHOSEN + VALID] == 0.0:
            rows[begin, LABEL] = 3.0
            begin += 1
            continue
        low_x = high_x = rows[begin, AZIMUTH]
        low_y = high_y = rows[begin, ELEVATION]
        end = begin + 1
        is_closed = False
        while end < n:
            if rows[end, CHOSEN + VALID] == 0.0 or rows[end, BREAK] == 1.0:
                is_closed = True
                break
            low_x, high_x = min(low_x, rows[end, AZIMUTH]), max(high_x, rows[end, AZIMUTH])
            low_y, high_y = min(low_y, rows[end, ELEVATION]), max(high_y, rows[end, ELEVATION])
            if high_x - low_x + high_y - low_y > largest:
                is_closed = True
                break
            end += 1
        if not is_closed and not is_final:
            break
        if rows[end - 1, TIME] - rows[begin, TIME] >= shortest_ns:
            for i in range(begin, end):
                rows[i, LABEL] = 1.0
            rows[begin, LABEL] = 1.0 + NEW_EVENT
            begin = end
        else:
            rows[begin, LABEL] = 2.0
            begin += 1
    state[DONE] = begin
