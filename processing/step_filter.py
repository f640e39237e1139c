"""Two-window step filter: saccades as steps between the mean gaze before and after, for noisy data.

The best linear detector of a step in white noise is the difference of the means of two windows; the windows are as long
as the measured noise asks for. Where a saccade's place is known, its length follows from its size.

Source: matched filtering of a step; main sequence: Carpenter 1988, duration = 2.2 ms/deg x amplitude + 21 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from processing.compiled import compiled
from processing.gaze_table import AZIMUTH, BREAK, CHOSEN, ELEVATION, OWN, TIME, VALID, GazeTable, Table
from processing.noise_meter import NoiseMeter

# Columns of the step filter.
SIZE, RATIO, WINDOW, IS_PEAK = OWN, OWN + 1, OWN + 2, OWN + 3
MEASURED, PEAKED, LABELLED, START, KNOWN = 0, 1, 2, 3, 4
NO_BLOCK = -1e15
LONGEST_SACCADE_NS = 100e6


@dataclass(frozen=True)
class StepRules:
    """How the step filter suits itself to the noise.

    lambda_sd: a step counts from so many standard deviations of the difference of the means. smallest_deg: and from
    this size on. wanted_deg: windows are made long enough for steps of this size, between window_min_ms and
    window_max_ms.
    """

    lambda_sd: float = 5.0
    smallest_deg: float = 0.35
    wanted_deg: float = 0.8
    window_min_ms: float = 20.0
    window_max_ms: float = 120.0

    def __post_init__(self) -> None:
        if min(self.lambda_sd, self.smallest_deg, self.wanted_deg, self.window_min_ms) <= 0:
            raise ValueError("the rules of the step filter must be positive")
        if self.window_max_ms < self.window_min_ms:
            raise ValueError("window_max_ms must not be smaller than window_min_ms")


class StepClassifier:
    """Fixation between steps, saccade at them; the label goes to the given column."""

    def __init__(
        self,
        rules: StepRules,
        column: int,
        *,
        noise: NoiseMeter | None = None,
        is_wanted: Callable[[float, float], bool] | None = None,
    ) -> None:
        """With a noise meter to share, and what decides by (noise in degrees, interval in ns) if a second is wanted."""
        self._rules = rules
        self._column = column
        self._noise = noise if noise is not None else NoiseMeter()
        self._is_wanted = is_wanted
        self._state = np.array([0.0, 0.0, 0.0, NO_BLOCK, 0.0])

    def advance(self, table: GazeTable, *, is_final: bool) -> int:
        """Label the rows whose windows are complete."""
        while self._state[MEASURED] < table.n_ready:
            measured = int(self._state[MEASURED])
            found = self._noise.stretch(table, measured, is_final=is_final)
            if found is None:
                break
            noise_deg, end = found
            window = self._window(noise_deg, table.interval_ns)
            limit = min(end, table.n_ready)
            scale = self._rules.lambda_sd * noise_deg
            wanted = self._is_wanted is None or self._is_wanted(noise_deg, table.interval_ns)
            smallest = self._rules.smallest_deg
            _measure(table.rows, table.n_ready, limit, self._state, window, scale, smallest, wanted, is_final)
            if self._state[MEASURED] < limit:
                break
        done = is_final and self._state[MEASURED] >= table.n_ready
        _find_peaks(table.rows, self._state, done)
        _label(table.rows, self._state, self._column, done)
        return int(self._state[LABELLED])

    def n_behind(self, table: GazeTable) -> int:
        """Two of the longest windows and a saccade, and what the noise meter needs."""
        span_ms = 2 * self._rules.window_max_ms + LONGEST_SACCADE_NS / 1e6
        n_span = round(span_ms * 1e6 / table.interval_ns) + 8 if table.interval_ns > 0 else 8
        return max(n_span, self._noise.n_behind(table))

    def forget(self, n_rows: int) -> None:
        """Follow the table."""
        self._state -= n_rows

    def _window(self, noise_deg: float, interval_ns: float) -> int:
        """Samples per window: lambda sigma sqrt(2 / n) = wanted size."""
        if interval_ns <= 0:
            return 1
        rules = self._rules
        wanted = 2.0 * (rules.lambda_sd * noise_deg / rules.wanted_deg) ** 2
        least, most = rules.window_min_ms * 1e6 / interval_ns, rules.window_max_ms * 1e6 / interval_ns
        return max(1, round(min(max(wanted, least), most)))


@compiled
def _measure(
    rows: Table,
    n: int,
    limit: int,
    state: Table,
    window: int,
    scale: float,
    smallest: float,
    is_wanted: bool,
    is_final: bool,
) -> None:
    """Size of the step at each row (between it and the one before) and its ratio to the threshold there."""
    i = int(state[MEASURED])
    start = int(state[START])
    known = int(state[KNOWN])
    while i < limit:
        rows[i, SIZE] = 0.0
        rows[i, RATIO] = 0.0
        rows[i, WINDOW] = window
        if rows[i, CHOSEN + VALID] == 0.0:
            start = int(NO_BLOCK)
            i += 1
            continue
        if start < NO_BLOCK / 2 or rows[i, BREAK] == 1.0:
            start = i
            known = i + 1
        known = max(known, i + 1)
        if not is_wanted:
            i += 1
            continue
        while known < i + window and known < n:
            if rows[known, CHOSEN + VALID] == 0.0 or rows[known, BREAK] == 1.0:
                break
            known += 1
        if known == n and known < i + window and not is_final:
            break
        n_before, n_after = min(window, i - start), min(window, known - i)
        # At the ends of a stretch half a window will do: there the threshold is higher.
        if 2 * min(n_before, n_after) >= window and n_before > 0:
            x = y = 0.0
            for k in range(n_before):
                x -= rows[i - 1 - k, AZIMUTH] / n_before
                y -= rows[i - 1 - k, ELEVATION] / n_before
            for k in range(n_after):
                x += rows[i + k, AZIMUTH] / n_after
                y += rows[i + k, ELEVATION] / n_after
            rows[i, SIZE] = np.sqrt(x * x + y * y)
            threshold = max(smallest, scale * np.sqrt(1.0 / n_before + 1.0 / n_after))
            rows[i, RATIO] = rows[i, SIZE] / threshold
        i += 1
    state[MEASURED] = i
    state[START] = start
    state[KNOWN] = known


@compiled
def _find_peaks(rows: Table, state: Table, is_final: bool) -> None:
    """Steps are where the ratio is highest within half a window on both sides, and at least 1."""
    n = int(state[MEASURED])
    i = int(state[PEAKED])
    while i < n:
        reach = max(1, int(rows[i, WINDOW]) // 2)
        if i + reach >= n and not is_final:
            break
        is_peak = rows[i, RATIO] >= 1.0
        for k in range(1, reach + 1):
            if not is_peak:
                break
            if i - k >= 0 and rows[i - k, RATIO] >= rows[i, RATIO]:
                is_peak = False
            if i + k < n and rows[i + k, RATIO] > rows[i, RATIO]:
                is_peak = False
        rows[i, IS_PEAK] = 1.0 if is_peak else 0.0
        i += 1
    state[PEAKED] = i


@compiled
def _label(rows: Table, state: Table, column: int, is_final: bool) -> None:
    """Saccade around each step for as long as its size tells; fixation elsewhere."""
    n = int(state[PEAKED])
    i = int(state[LABELLED])
    while i < n:
        if rows[i, CHOSEN + VALID] == 0.0:
            rows[i, column] = 3.0
            i += 1
            continue
        if not is_final and rows[n - 1, TIME] - rows[i, TIME] <= 0.5 * LONGEST_SACCADE_NS:
            break
        rows[i, column] = 1.0
        for direction in (-1, 1):
            k = i if direction < 0 else i + 1
            while 0 < k < n:
                middle = 0.5 * (rows[k - 1, TIME] + rows[k, TIME])
                away = abs(rows[i, TIME] - middle)
                if away > 0.5 * LONGEST_SACCADE_NS:
                    break
                if rows[k, IS_PEAK] == 1.0:
                    half = min(0.5 * (2.2e6 * rows[k, SIZE] + 21e6), 0.5 * LONGEST_SACCADE_NS)
                    if away <= half or k == i or k == i + 1:
                        rows[i, column] = 2.0
                if rows[k, CHOSEN + VALID] == 0.0 or rows[k, BREAK] == 1.0:
                    break
                k += direction
        i += 1
    state[LABELLED] = i
