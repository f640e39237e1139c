"""Gaze as straight pieces: the best division of a stretch of gaze into linear movements, for noisy data.

Fixations and pursuit are slow pieces, saccades fast ones or jumps between slow ones. The division with the smallest sum
of squared residuals (in units of the measured noise) plus a fixed price per piece is found exactly, piece by piece, by
dynamic programming with pruning. A cut is final when all divisions that can still win share it.

Source: Jackson et al. 2005 (optimal partitioning); Killick, Fearnhead, Eckley 2012 (PELT pruning); the idea of linear
segments for gaze: Pekkanen and Lappi 2017. The price and the smallest sizes were chosen on simulated gaze alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled
from processing.gaze_table import AZIMUTH, BREAK, CHOSEN, ELEVATION, TIME, VALID, GazeTable, Table
from processing.noise_meter import NoiseMeter

I64 = NDArray[np.int64]

NO_STRETCH = -(10**15)
SMALLEST_NOISE_DEG = 0.02
LONGEST_SACCADE_NS = 110e6
SHORTEST_PIECE = 2
N_SUMS = 9
"""Running sums of weight w, w t, w t^2, w x, w y, w t x, w t y, w (x^2 + y^2), and the number of rows."""


@dataclass(frozen=True)
class LineRules:
    """What a piece costs, and what makes it a saccade.

    price: of one piece more, in squared standard deviations. bin_ms: samples are averaged over so much first.
    saccade_deg_s, saccade_deg: a piece at least as fast and as long is a saccade. jump_sd: a jump between two slow
    pieces is a saccade from saccade_deg and from so many of its own standard deviations on. longest_ms: of one piece.
    """

    price: float = 25.0
    bin_ms: float = 4.0
    saccade_deg_s: float = 30.0
    saccade_deg: float = 0.4
    jump_sd: float = 4.0
    longest_ms: float = 1600.0

    def __post_init__(self) -> None:
        if min(self.price, self.bin_ms, self.saccade_deg_s, self.saccade_deg, self.longest_ms) <= 0:
            raise ValueError("the rules of the line fit must be positive")


class LineClassifier:
    """Fixation in slow pieces, saccade in fast ones and at jumps; the label goes to the given column."""

    def __init__(
        self,
        rules: LineRules,
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
        self._stretch = NO_STRETCH
        self._read = 0
        self._labelled = 0
        self._pieces = _Pieces(0.0, 1)

    def advance(self, table: GazeTable, *, is_final: bool) -> int:
        """Label the rows whose pieces are final."""
        while self._read < table.n_ready:
            found = self._noise.stretch(table, self._read, is_final=is_final)
            if found is None:
                break
            noise_deg, end = found
            limit = min(end, table.n_ready)
            if self._is_wanted is None or self._is_wanted(noise_deg, table.interval_ns):
                self._read_rows(table, max(noise_deg, SMALLEST_NOISE_DEG), limit)
            else:
                self._end_stretch(table)
                table.rows[self._read : limit, self._column] = 0.0
                self._read = self._labelled = limit
        if is_final and self._read >= table.n_ready:
            self._end_stretch(table)
        elif self._stretch > NO_STRETCH:
            self._label(table, self._pieces.settled())
        return self._labelled

    def n_behind(self, table: GazeTable) -> int:
        """What the noise meter needs; the sums of the pieces are kept apart."""
        return self._noise.n_behind(table)

    def forget(self, n_rows: int) -> None:
        """Follow the table."""
        self._read -= n_rows
        self._labelled -= n_rows
        if self._stretch > NO_STRETCH:
            self._stretch -= n_rows

    def _read_rows(self, table: GazeTable, noise_deg: float, limit: int) -> None:
        """Take rows up to a limit into the pieces of their stretch; all of them have the same noise."""
        rows = table.rows
        while self._read < limit:
            row = self._read
            is_seen = rows[row, CHOSEN + VALID] > 0.0
            if self._stretch > NO_STRETCH and (not is_seen or rows[row, BREAK] == 1.0):
                self._end_stretch(table)
            if not is_seen:
                end = int(_run_end(rows, row, limit, False))
                rows[row:end, self._column] = 3.0
                self._read = self._labelled = end
                continue
            if self._stretch == NO_STRETCH:
                size = max(1, round(self._rules.bin_ms * 1e6 / table.interval_ns)) if table.interval_ns else 1
                longest = max(8, round(self._rules.longest_ms * 1e6 / max(table.interval_ns * size, 1.0)))
                self._pieces = _Pieces(self._rules.price, size, longest=longest, origin_ns=float(rows[row, TIME]))
                self._stretch = row
            end = int(_run_end(rows, row, limit, True))
            self._pieces.add(rows[row:end], noise_deg)
            self._read = end

    def _end_stretch(self, table: GazeTable) -> None:
        if self._stretch == NO_STRETCH:
            return
        self._label(table, self._pieces.all_cuts(), is_over=True)
        self._stretch = NO_STRETCH

    def _label(self, table: GazeTable, cuts: list[int], *, is_over: bool = False) -> None:
        """Label the rows of the stretch up to half a saccade before the last of these cuts, or all."""
        if not cuts and not is_over:
            return
        rows, size = table.rows, self._pieces.size
        n_rows = self._pieces.n_rows
        bounds = [min(cut * size, n_rows) for cut in cuts]
        first, last = self._labelled - self._stretch, bounds[-1] if bounds else 0
        # A jump at the last settled cut or a later one may still reach so far back.
        until = n_rows if is_over else last - self._hold_rows(table)
        if until <= first:
            return
        rows[self._stretch + first : self._stretch + until, self._column] = 1.0
        for begin, end in self._saccades(table, cuts, bounds):
            begin, end = max(begin, first), min(end, until)
            if end > begin:
                rows[self._stretch + begin : self._stretch + end, self._column] = 2.0
        self._labelled = self._stretch + until
        self._pieces.labelled_until(until - self._hold_rows(table))

    def _hold_rows(self, table: GazeTable) -> int:
        """Rows that half of the longest saccade lasts."""
        return math.ceil(0.5 * LONGEST_SACCADE_NS / table.interval_ns) + 1 if table.interval_ns > 0 else 1

    def _saccades(self, table: GazeTable, cuts: list[int], bounds: list[int]) -> list[tuple[int, int]]:
        """Rows (begin, end) of the stretch that are saccades, by pieces and by jumps between them."""
        interval = table.interval_ns
        pieces = [self._pieces.fit(a, b) for a, b in pairwise(cuts)]
        found = []
        fast = []
        for piece, begin, end in zip(pieces, bounds[:-1], bounds[1:], strict=True):
            length_ns = (end - begin) * interval
            is_fast = (
                piece.speed >= self._rules.saccade_deg_s
                and length_ns <= LONGEST_SACCADE_NS
                and piece.speed * length_ns * 1e-9 >= self._rules.saccade_deg
            )
            fast.append(is_fast)
            if is_fast:
                found.append((begin, end))
        for k in range(len(pieces) - 1):
            if fast[k] or fast[k + 1]:
                continue
            cut_s = (table.rows[self._stretch + bounds[k + 1], TIME] - self._pieces.origin_ns) * 1e-9
            cut_s -= 0.5 * interval * 1e-9
            size_deg = pieces[k].distance_at(cut_s, pieces[k + 1])
            spread = self._rules.jump_sd * math.hypot(pieces[k].end_sd, pieces[k + 1].end_sd)
            if size_deg >= max(self._rules.saccade_deg, spread):
                # Main sequence (Carpenter 1988): a saccade lasts 2.2 ms per degree and 21 ms.
                half = min(0.5 * (2.2e6 * size_deg + 21e6), 0.5 * LONGEST_SACCADE_NS) / max(interval, 1.0)
                middle = bounds[k + 1] - 0.5
                found.append((math.ceil(middle - half), math.floor(middle + half) + 1))
        return found


@dataclass(frozen=True)
class _Piece:
    """A fitted line: position (x, y) = middle + slope (t - t0), degrees and seconds."""

    t0: float
    middle: tuple[float, float]
    slope: tuple[float, float]
    end_sd: float

    @property
    def speed(self) -> float:
        """Degrees per second."""
        return math.hypot(*self.slope)

    def distance_at(self, t: float, other: _Piece) -> float:
        """Distance of the two lines at a time, degrees."""
        here = [m + s * (t - self.t0) for m, s in zip(self.middle, self.slope, strict=True)]
        there = [m + s * (t - other.t0) for m, s in zip(other.middle, other.slope, strict=True)]
        return math.dist(here, there)


class _Pieces:
    """The best division of one stretch into linear pieces, bin by bin."""

    def __init__(self, price: float, size: int, *, longest: int = 400, origin_ns: float = 0.0) -> None:
        self.size = size
        self.origin_ns = origin_ns
        self.n_rows = 0
        self._price = price
        self._longest = longest
        self._n_bins = 0
        self._sums: Table = np.zeros((512, N_SUMS))
        self._cost: Table = np.full(512, np.inf)
        self._cost[0] = -price
        self._back: I64 = np.zeros(512, np.int64)
        self._candidates: I64 = np.zeros(512, np.int64)
        self._n_candidates = 0
        self._open: Table = np.zeros(N_SUMS)
        self._kept_cut = 0

    def add(self, rows: Table, noise_deg: float) -> None:
        """Take rows of the stretch that have this noise."""
        needed = self._n_bins + len(rows) // self.size + 2
        if needed >= len(self._cost):
            more = max(needed, 2 * len(self._cost))
            self._sums = np.concatenate([self._sums, np.zeros((more - len(self._sums), N_SUMS))])
            self._cost = np.concatenate([self._cost, np.full(more - len(self._cost), np.inf)])
            self._back = np.concatenate([self._back, np.zeros(more - len(self._back), np.int64)])
            self._candidates = np.concatenate([self._candidates, np.zeros(more - len(self._candidates), np.int64)])
        self._n_bins, self._n_candidates = _add_rows(
            rows,
            1.0 / noise_deg**2,
            self.size,
            self.origin_ns,
            self._price,
            self._longest,
            self._open,
            self._sums,
            self._cost,
            self._back,
            self._candidates,
            self._n_bins,
            self._n_candidates,
        )
        self.n_rows += len(rows)

    def settled(self) -> list[int]:
        """Cuts (in bins) that every division which can still win shares, from the last one that labels need."""
        if self._n_candidates == 0:
            return []
        # The newest bin begins a piece of the next division: it counts although it is not a candidate yet.
        shared = int(_common_cut(self._back, self._candidates[: self._n_candidates], self._n_bins))
        return self._path(shared) if shared > 0 else []

    def all_cuts(self) -> list[int]:
        """The best division of the whole stretch; a bin that is not full yet counts."""
        if self._open[N_SUMS - 1] > 0:
            self._n_bins, self._n_candidates = _close_bin(
                self._open,
                self._price,
                self._longest,
                self._sums,
                self._cost,
                self._back,
                self._candidates,
                self._n_bins,
                self._n_candidates,
            )
        return self._path(self._n_bins) if np.isfinite(self._cost[self._n_bins]) else [0, self._n_bins]

    def labelled_until(self, n_rows: int) -> None:
        """Nothing before this row reaches what has no label yet: only two cuts before it are still needed."""
        self._kept_cut = max(0, n_rows // self.size)

    def fit(self, begin: int, end: int) -> _Piece:
        """The line through bins begin to end."""
        w, wt, wtt, wx, wy, wtx, wty, _, _ = (float(v) for v in self._sums[end] - self._sums[begin])
        t0 = wt / w
        spread = wtt - wt * t0
        slope = ((wtx - wx * t0) / spread, (wty - wy * t0) / spread) if spread > 1e-12 * max(w, 1.0) else (0.0, 0.0)
        return _Piece(t0, (wx / w, wy / w), slope, 2.0 / math.sqrt(w))

    def _path(self, cut: int) -> list[int]:
        """Cuts back from this one to the second that lies before all rows that still matter."""
        cuts = [cut]
        n_more = 2
        while cuts[-1] > 0 and n_more > 0:
            cuts.append(int(self._back[cuts[-1]]))
            if cuts[-1] <= self._kept_cut:
                n_more -= 1
        return cuts[::-1]


@compiled
def _run_end(rows: Table, begin: int, limit: int, is_seen: bool) -> int:
    """End of the run of rows from begin that all have gaze (and no break after the first), or all have none."""
    i = begin + 1
    while i < limit and (rows[i, CHOSEN + VALID] > 0.0) == is_seen and not (is_seen and rows[i, BREAK] == 1.0):
        i += 1
    return i


@compiled
def _add_rows(
    rows: Table,
    weight: float,
    size: int,
    origin_ns: float,
    price: float,
    longest: int,
    opened: Table,
    sums: Table,
    cost: Table,
    back: I64,
    candidates: I64,
    n_bins: int,
    n_candidates: int,
) -> tuple[int, int]:
    """Average rows into bins; each full bin is one step of the dynamic programme."""
    for i in range(len(rows)):
        opened[0] += weight
        opened[1] += (rows[i, TIME] - origin_ns) * 1e-9
        opened[2] += rows[i, AZIMUTH]
        opened[3] += rows[i, ELEVATION]
        opened[8] += 1.0
        if opened[8] >= size:
            n_bins, n_candidates = _close_bin(
                opened, price, longest, sums, cost, back, candidates, n_bins, n_candidates
            )
    return n_bins, n_candidates


@compiled
def _close_bin(
    opened: Table,
    price: float,
    longest: int,
    sums: Table,
    cost: Table,
    back: I64,
    candidates: I64,
    n_bins: int,
    n_candidates: int,
) -> tuple[int, int]:
    """Add the open bin to the sums, and find the cheapest division that ends with it."""
    w, n = opened[0], opened[8]
    t, x, y = opened[1] / n, opened[2] / n, opened[3] / n
    end = n_bins + 1
    for k in range(N_SUMS):
        sums[end, k] = sums[n_bins, k]
    sums[end, 0] += w
    sums[end, 1] += w * t
    sums[end, 2] += w * t * t
    sums[end, 3] += w * x
    sums[end, 4] += w * y
    sums[end, 5] += w * t * x
    sums[end, 6] += w * t * y
    sums[end, 7] += w * (x * x + y * y)
    sums[end, 8] += n
    for k in range(N_SUMS):
        opened[k] = 0.0
    candidates[n_candidates] = n_bins
    n_candidates += 1
    best, best_start = np.inf, 0
    for k in range(n_candidates):
        start = candidates[k]
        if end - start >= SHORTEST_PIECE:
            total = cost[start] + _residual(sums, start, end) + price
            if total < best:
                best, best_start = total, start
    cost[end] = best
    back[end] = best_start
    n_kept = 0
    for k in range(n_candidates):
        start = candidates[k]
        if end - start >= longest:
            continue
        if end - start <= SHORTEST_PIECE or cost[start] + _residual(sums, start, end) <= best:
            candidates[n_kept] = start
            n_kept += 1
    return end, n_kept


@compiled
def _residual(sums: Table, start: int, end: int) -> float:
    """Weighted sum of squared residuals of the line through bins start to end."""
    w = sums[end, 0] - sums[start, 0]
    wt = sums[end, 1] - sums[start, 1]
    wx = sums[end, 3] - sums[start, 3]
    wy = sums[end, 4] - sums[start, 4]
    rest = sums[end, 7] - sums[start, 7] - (wx * wx + wy * wy) / w
    spread = sums[end, 2] - sums[start, 2] - wt * wt / w
    if spread > 1e-12 * w:
        x = sums[end, 5] - sums[start, 5] - wt * wx / w
        y = sums[end, 6] - sums[start, 6] - wt * wy / w
        rest -= (x * x + y * y) / spread
    return float(max(rest, 0.0))


@compiled
def _common_cut(back: I64, candidates: I64, newest: int) -> int:
    """The last cut that the divisions ending at all candidates and at the newest bin share."""
    shared = np.int64(newest)
    for k in range(len(candidates)):
        other = candidates[k]
        while shared != other:
            if shared > other:
                shared = back[shared]
            else:
                other = back[other]
    return int(shared)
