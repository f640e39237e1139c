"""How noisy the gaze is, measured while it comes, so that a detector can suit itself to it."""

from __future__ import annotations

import numpy as np

from processing.compiled import compiled
from processing.gaze_table import AZIMUTH, BREAK, CHOSEN, ELEVATION, VALID, GazeTable, Table

STRETCH_MS = 1000.0
LAG_MS = 10.0
RAYLEIGH_MEDIAN = 2.8839
"""Median length of a second difference of white noise of unit SD per axis: sqrt(6) times sqrt(2 ln 2)."""


class NoiseMeter:
    """Standard deviation per axis (degrees) of the sample noise, for each second of a recording.

    What holds for a second was measured in the two before it, so that nothing has to be waited for; in the first two,
    the first counts. Second differences over 10 ms leave out drift and pursuit; the median leaves out saccades.
    """

    def __init__(self) -> None:
        self._measured: list[float] = []
        self._sizes: Table = np.empty(0)
        self._begin = 0.0

    @staticmethod
    def n_behind(table: GazeTable) -> int:
        """Rows that must be kept behind the last labelled one: a second may not be whole yet."""
        return _stretch_rows(table) + 1 if table.interval_ns > 0 else 1

    def stretch(self, table: GazeTable, row: int, *, is_final: bool) -> tuple[float, int] | None:
        """(noise in degrees, first row after those it holds for) at a row of the table; None while it is not known."""
        if table.interval_ns <= 0:
            return (0.0, table.n) if is_final else None
        n_rows = _stretch_rows(table)
        number = (table.n_dropped + row) // n_rows
        end = (number + 1) * n_rows - table.n_dropped
        needed = max(number, 1)
        # Every whole second is measured as soon as it is there: later its rows may be forgotten.
        while True:
            first = len(self._measured) * n_rows - table.n_dropped
            is_whole = table.n_ready >= first + n_rows
            if not is_whole and not (is_final and len(self._measured) < needed):
                break
            lag = max(1, round(LAG_MS * 1e6 / table.interval_ns))
            self._measured.append(_noise_deg(table.rows[first : min(first + n_rows, table.n_ready)], lag))
        if len(self._measured) < needed:
            return None
        recent = [noise for noise in self._measured[max(0, needed - 2) : needed] if np.isfinite(noise)]
        return (float(np.median(recent)) if recent else 0.0), end


def _stretch_rows(table: GazeTable) -> int:
    return max(8, round(STRETCH_MS * 1e6 / table.interval_ns))


def _noise_deg(rows: Table, lag: int) -> float:
    sizes = np.empty(len(rows))
    n = int(_second_differences(rows, lag, sizes))
    return float(np.median(sizes[:n])) / RAYLEIGH_MEDIAN if n >= 4 else float("nan")


@compiled
def _second_differences(rows: Table, lag: int, out: Table) -> int:
    """Lengths of x[i - lag] - 2 x[i] + x[i + lag] where all three belong to one stretch of gaze; how many."""
    n = 0
    unbroken = 0
    for i in range(len(rows)):
        if rows[i, CHOSEN + VALID] == 0.0:
            unbroken = 0
            continue
        unbroken = 1 if rows[i, BREAK] == 1.0 else unbroken + 1
        if unbroken > 2 * lag:
            x = rows[i, AZIMUTH] - 2.0 * rows[i - lag, AZIMUTH] + rows[i - 2 * lag, AZIMUTH]
            y = rows[i, ELEVATION] - 2.0 * rows[i - lag, ELEVATION] + rows[i - 2 * lag, ELEVATION]
            out[n] = np.sqrt(x * x + y * y)
            n += 1
    return n
