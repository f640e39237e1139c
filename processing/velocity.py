"""Velocity threshold classification, as in Tobii's I-VT: speed over a window around each sample.

Source: Olsen 2012, The Tobii I-VT Fixation Filter; three details follow Tobii Pro Lab 24.21's own labels: one per
cent tolerance in the window's length, edges of a stretch take the nearest speed, each sample's own eye position.
"""

from __future__ import annotations

import numpy as np

from processing.compiled import compiled
from processing.gaze_table import BREAK, CHOSEN, ORIGIN, SMOOTH_POINT, SPEED, TIME, VALID, GazeTable, Table

BLOCK, KNOWN, DONE = 0, 1, 2

NO_BLOCK = -1e15
"""Row at which the stretch begins while there is none; a stretch may begin in rows long forgotten, below 0."""


def window_samples(window_ms: float, interval_ns: float) -> int:
    """Samples in a velocity window: 2 at 60 Hz, 3 at 120, 7 at 300, 13 at 600, 25 at 1200 Hz for 20 ms.

    The one per cent is needed: 300 Hz with jitter must give 7 and not 6 (kappa 0.944 to 0.995 on Tobii's labels).
    """
    if interval_ns <= 0:
        return 2
    return max(2, int(window_ms * 1e6 / interval_ns * 1.01) + 1)


class VelocityClassifier:
    """Fixation below the threshold, saccade from it on; the label goes to the given column."""

    def __init__(self, window_ms: float, threshold_deg_s: float, column: int) -> None:
        self._window_ms = window_ms
        self._threshold = threshold_deg_s
        self._column = column
        self._state = np.array([NO_BLOCK, 0.0, 0.0])

    def advance(self, table: GazeTable, *, is_final: bool) -> int:
        """Label the rows whose window is complete."""
        window = window_samples(self._window_ms, table.interval_ns)
        _classify(table.rows, table.n_ready, self._state, window, self._threshold, self._column, is_final)
        return int(self._state[DONE])

    def n_behind(self, table: GazeTable) -> int:
        """Four windows are more than any sample reaches back."""
        return 4 * window_samples(self._window_ms, table.interval_ns)

    def forget(self, n_rows: int) -> None:
        """Follow the table."""
        self._state -= n_rows


@compiled
def _classify(rows: Table, n: int, state: Table, window: int, threshold: float, column: int, is_final: bool) -> None:
    """Speed and label of each row whose window is complete. State: start of the stretch, how far it is known, done."""
    back = window // 2
    ahead = window - 1 - back
    i = int(state[DONE])
    start = int(state[BLOCK])
    known = int(state[KNOWN])
    while i < n:
        if rows[i, CHOSEN + VALID] == 0.0:
            rows[i, SPEED] = np.nan
            rows[i, column] = 3.0
            start = int(NO_BLOCK)
            i += 1
            continue
        if start < NO_BLOCK / 2 or rows[i, BREAK] == 1.0:
            start = i
            known = i + 1
        # A sample whose window does not fit takes the speed of the nearest one of its stretch that has one.
        centre = max(i, start + back)
        while known <= centre + ahead and known < n:
            if rows[known, CHOSEN + VALID] == 0.0 or rows[known, BREAK] == 1.0:
                break
            known += 1
        if known <= centre + ahead:
            if known == n and not is_final:
                break
            centre = known - 1 - ahead
        if centre < start + back:
            rows[i, SPEED] = np.nan
            rows[i, column] = 0.0
            i += 1
            continue
        if i > start and centre == i - 1:
            rows[i, SPEED] = rows[i - 1, SPEED]
        else:
            rows[i, SPEED] = _speed(rows, centre - back, centre + ahead)
        rows[i, column] = 1.0 if rows[i, SPEED] < threshold else 2.0
        i += 1
    state[DONE] = i
    state[BLOCK] = start
    state[KNOWN] = known


@compiled
def _speed(rows: Table, first: int, last: int) -> float:
    """Angle between the gaze rays of two rows over the time between them, degrees per second."""
    ax = rows[first, SMOOTH_POINT] - rows[first, CHOSEN + ORIGIN]
    ay = rows[first, SMOOTH_POINT + 1] - rows[first, CHOSEN + ORIGIN + 1]
    az = rows[first, SMOOTH_POINT + 2] - rows[first, CHOSEN + ORIGIN + 2]
    bx = rows[last, SMOOTH_POINT] - rows[last, CHOSEN + ORIGIN]
    by = rows[last, SMOOTH_POINT + 1] - rows[last, CHOSEN + ORIGIN + 1]
    bz = rows[last, SMOOTH_POINT + 2] - rows[last, CHOSEN + ORIGIN + 2]
    cx, cy, cz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    angle = np.arctan2(np.sqrt(cx * cx + cy * cy + cz * cz), ax * bx + ay * by + az * bz)
    return float(np.degrees(angle) / ((rows[last, TIME] - rows[first, TIME]) * 1e-9))
