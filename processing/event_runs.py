"""From the kind of movement per sample to events: runs, merged where they belong together, dropped where too short.

Source: Olsen 2012 for merging and discarding; midpoint times, the 75 ms that are still merged and the angle between
fixation points seen from their own eye positions are verified against labels of Tobii Pro Lab 24.21.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from processing.compiled import compiled
from processing.event import Event, EventKind
from processing.gaze_table import (
    BREAK,
    CHOSEN,
    LABEL,
    NEW_EVENT,
    NORM,
    ORIGIN,
    POINT,
    PUPIL,
    SPEED,
    TIME,
    VALID,
    GazeTable,
    Table,
)

# Columns of a run.
KIND, FIRST, LAST, T_FIRST, T_LAST, ONSET, OFFSET, N_GAZE, MEAN, SQUARES, N_PUPIL, PUPIL_SUM, PEAK, AFTER_BREAK = (
    *range(8), 8, 16, 17, 18, 19, 20,
)  # fmt: skip
N_RUN = 21
MERGE_TOLERANCE_NS = 0.5e6
"""Nine intervals at 120 Hz are 75.0 ms and are merged by Tobii, whatever the last bit says."""


@dataclass(frozen=True)
class EventRules:
    """When neighbouring fixations are one, and which are too short to be one. Defaults: Tobii's I-VT (Fixation)."""

    merge_ms: float = 75.0
    merge_deg: float = 0.5
    discard_ms: float = 60.0


@dataclass
class _Pending:
    """A fixation that may still grow, and what came after it."""

    parts: list[Table]
    latest: Table
    later: list[Table] = field(default_factory=list)


class EventRuns:
    """Turns the labels of a gaze table into events, as they become certain."""

    def __init__(self, table: GazeTable, rules: EventRules) -> None:
        self._table = table
        self._rules = rules
        self._open: Table = np.full(N_RUN, np.nan)
        self._open[KIND] = -1
        self._next = 0
        self._pending: _Pending | None = None
        self._closed: Table = np.empty((256, N_RUN))

    def advance(self, n_labelled: int, *, is_final: bool) -> list[Event]:
        """The events that became certain now that the table's first `n_labelled` rows have a label."""
        events: list[Event] = []
        half = self._table.interval_ns / 2
        while self._next < n_labelled:
            consumed, n_closed = _collect(
                self._table.rows, self._next, n_labelled, self._table.n_dropped, self._open, self._closed, half
            )
            self._next = int(consumed)
            for k in range(int(n_closed)):
                self._take(self._closed[k].copy(), events)
        if is_final:
            if self._open[KIND] >= 0:
                self._open[OFFSET] = self._open[T_LAST] + half
                self._take(self._open.copy(), events)
                self._open[KIND] = -1
            self._release(events)
        elif self._pending is not None and n_labelled:
            self._release_if_late(float(self._table.rows[n_labelled - 1, TIME]), events)
        return events

    def provisional(self) -> Event | None:
        """The fixation that is going on, as far as it is known; None where there is none."""
        run = self._open
        if run[KIND] != EventKind.FIXATION or run[T_LAST] - run[T_FIRST] < self._rules.discard_ms * 1e6:
            return None
        current = run.copy()
        current[OFFSET] = current[T_LAST]
        return self._event([current], EventKind.FIXATION)

    def forget(self, n_rows: int) -> None:
        """The table dropped rows from its front."""
        self._next -= n_rows

    def _take(self, run: Table, events: list[Event]) -> None:
        if run[AFTER_BREAK] == 1.0:
            self._release(events)
        if run[KIND] != EventKind.FIXATION:
            if self._pending is None:
                events.append(self._event([run], EventKind(int(run[KIND]))))
            else:
                self._pending.later.append(run)
            return
        if self._pending is not None and self._belongs(self._pending.latest, run):
            self._pending.parts += [*self._pending.later, run]
            self._pending.later = []
            self._pending.latest = run
            return
        self._release(events)
        self._pending = _Pending([run], run)

    def _belongs(self, first: Table, second: Table) -> bool:
        if second[T_FIRST] - first[T_LAST] > self._rules.merge_ms * 1e6 + MERGE_TOLERANCE_NS:
            return False
        return _angle_between(first, second) <= self._rules.merge_deg

    def _release_if_late(self, now_ns: float, events: list[Event]) -> None:
        pending = self._pending
        if pending is None:
            return
        opened = self._open[T_FIRST] if self._open[KIND] == EventKind.FIXATION else now_ns
        if opened - pending.latest[T_LAST] > self._rules.merge_ms * 1e6 + MERGE_TOLERANCE_NS:
            self._release(events)

    def _release(self, events: list[Event]) -> None:
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        fixation = self._event(pending.parts, EventKind.FIXATION)
        if (fixation.offset_ns - fixation.onset_ns) / 1e6 < self._rules.discard_ms:
            fixation = self._event(pending.parts, EventKind.UNCLASSIFIED)
        events.append(fixation)
        events.extend(self._event([run], EventKind(int(run[KIND]))) for run in pending.later)

    def _event(self, parts: list[Table], kind: EventKind) -> Event:
        origin = self._table.origin_ns
        whole = parts[0] if len(parts) == 1 else _combined(parts)
        dispersion = math.nan
        if whole[N_GAZE] > 0:
            spread_mm = math.sqrt(max(whole[SQUARES], 0.0) / whole[N_GAZE])
            ray = whole[MEAN + POINT - 1 : MEAN + POINT + 2] - whole[MEAN + ORIGIN - 1 : MEAN + ORIGIN + 2]
            dispersion = math.degrees(math.atan2(spread_mm, math.sqrt(float(ray @ ray))))
        return Event(
            kind=kind,
            first=int(whole[FIRST]),
            last=int(whole[LAST]),
            onset_ns=origin + round(float(whole[ONSET])),
            offset_ns=origin + round(float(whole[OFFSET])),
            centre_norm=(float(whole[MEAN]), float(whole[MEAN + 1])),
            dispersion_deg=dispersion,
            peak_deg_s=float(whole[PEAK]),
            pupil_mm=float(whole[PUPIL_SUM] / whole[N_PUPIL]) if whole[N_PUPIL] > 0 else math.nan,
        )


def _angle_between(first: Table, second: Table) -> float:
    """Angle between two fixation points, each seen from its own mean eye position, degrees."""
    a = first[MEAN + POINT - 1 : MEAN + POINT + 2] - first[MEAN + ORIGIN - 1 : MEAN + ORIGIN + 2]
    b = second[MEAN + POINT - 1 : MEAN + POINT + 2] - second[MEAN + ORIGIN - 1 : MEAN + ORIGIN + 2]
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return math.degrees(math.atan2(math.sqrt(sum(c * c for c in cross)), float(a @ b)))


def _combined(parts: list[Table]) -> Table:
    """Several runs as one; means and sums of squares by Chan's formula."""
    whole = parts[0].copy()
    for part in parts[1:]:
        whole[LAST], whole[T_LAST], whole[OFFSET] = part[LAST], part[T_LAST], part[OFFSET]
        whole[N_PUPIL] += part[N_PUPIL]
        whole[PUPIL_SUM] += part[PUPIL_SUM]
        whole[PEAK] = np.fmax(whole[PEAK], part[PEAK])
        n = whole[N_GAZE] + part[N_GAZE]
        if part[N_GAZE] == 0:
            continue
        if whole[N_GAZE] == 0:
            whole[MEAN:SQUARES], whole[SQUARES] = part[MEAN:SQUARES], part[SQUARES]
        else:
            step = part[MEAN:SQUARES] - whole[MEAN:SQUARES]
            point = step[POINT - 1 : POINT + 2]
            whole[SQUARES] += part[SQUARES] + float(point @ point) * whole[N_GAZE] * part[N_GAZE] / n
            whole[MEAN:SQUARES] += step * (part[N_GAZE] / n)
        whole[N_GAZE] = n
    return whole


@compiled
def _collect(
    rows: Table,
    begin: int,
    end: int,
    n_dropped: int,
    opened: Table,
    closed: Table,
    half_ns: float,
) -> tuple[int, int]:
    """Read labelled rows into runs until the list of closed ones is full; gives (rows read, runs closed)."""
    n_closed = 0
    for i in range(begin, end):
        label, now, broke = rows[i, LABEL], rows[i, TIME], rows[i, BREAK] == 1.0
        is_new = label >= NEW_EVENT
        if is_new:
            label -= NEW_EVENT
        if opened[KIND] != label or broke or is_new:
            onset = now - half_ns
            if opened[KIND] >= 0.0:
                if n_closed == len(closed):
                    return i, n_closed
                opened[OFFSET] = opened[T_LAST] + half_ns
                if not broke:
                    onset = 0.5 * (opened[T_LAST] + now)
                    opened[OFFSET] = onset
                closed[n_closed] = opened
                n_closed += 1
            opened[:] = 0.0
            opened[KIND] = label
            opened[FIRST] = i + n_dropped
            opened[T_FIRST] = now
            opened[ONSET] = onset
            opened[PEAK] = np.nan
            opened[AFTER_BREAK] = 1.0 if broke else 0.0
            for k in range(8):
                opened[MEAN + k] = np.nan
        opened[LAST] = i + n_dropped
        opened[T_LAST] = now
        if not (opened[PEAK] >= rows[i, SPEED]) and np.isfinite(rows[i, SPEED]):
            opened[PEAK] = rows[i, SPEED]
        if np.isfinite(rows[i, CHOSEN + PUPIL]):
            opened[N_PUPIL] += 1.0
            opened[PUPIL_SUM] += rows[i, CHOSEN + PUPIL]
        if rows[i, CHOSEN + VALID] > 0.0:
            opened[N_GAZE] += 1.0
            if opened[N_GAZE] == 1.0:
                for k in range(8):
                    opened[MEAN + k] = rows[i, CHOSEN + NORM + k]
                continue
            share = 1.0 / opened[N_GAZE]
            for k in range(8):
                step = rows[i, CHOSEN + NORM + k] - opened[MEAN + k]
                opened[MEAN + k] += step * share
                if POINT - NORM <= k < ORIGIN - NORM:
                    opened[SQUARES] += step * step * (1.0 - share)
    return end, n_closed
