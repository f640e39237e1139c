"""Raw gaze samples made ready for event detection: gaps filled, eyes chosen, noise reduced; sample by sample.

One implementation serves recorded and live data: rows are appended as they come, and each stage advances as far as the
rows it needs to look ahead are there. What a row becomes does not depend on how the rows were cut into chunks.

Source: Olsen 2012, The Tobii I-VT Fixation Filter; order and details verified against labels of Tobii Pro Lab 24.21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.gaze import GazeSamples
from processing.compiled import compiled

Table = NDArray[np.float64]
Eyes = Literal["average", "strict average", "left", "right"]
Noise = Literal["median", "average", "none"]

# Columns of one row. Per eye: valid, gaze on the display area (2), gaze point mm (3), eye mm (3), pupil.
TIME, BREAK = 0, 1
EYE = (2, 12)
VALID, NORM, POINT, ORIGIN, PUPIL = 0, 1, 3, 6, 9
# The chosen eye or mean of both, in the same order; then the gaze after noise reduction: display area, point mm.
CHOSEN = 22
SMOOTH_NORM, SMOOTH_POINT = 32, 34
# What a detector writes: speed (degrees per second, NaN where there is none), and the kind of movement.
SPEED, LABEL = 37, 38
NEW_EVENT = 10.0
"""Added to a label: this row begins an event of its own, even where the one before is of the same kind."""

# Direction of the chosen gaze before noise reduction, degrees from straight ahead; then room for detectors.
AZIMUTH, ELEVATION = 39, 40
OWN = 41
N_COLUMNS = 46

# Slots of the state.
FILLED, SELECTED, SMOOTHED, LAST_VALID, OFFSET, HAS_OFFSET = 0, 2, 3, 4, 6, 14
N_STATE = 16
N_OFFSET = 8

LONGEST_HOLE_NS = 75e6
"""Time without any row after which what follows is a new stretch, if it is also three times the interval before."""


@dataclass(frozen=True)
class GazeCleaning:
    """How samples are made ready. The defaults are those of Tobii Pro Lab's preset I-VT (Fixation).

    eyes: `average` reconstructs a missing eye from the last known distance of the two; `strict average` needs both.
    gap_fill_ms: gaps shorter than this are filled linearly, per eye; 0 = off.
    noise: moving median or mean of `noise_samples` (odd) samples.
    rate_hz: 0 = mean of the first 99 intervals (Tobii).
    """

    eyes: Eyes = "average"
    gap_fill_ms: float = 0.0
    noise: Noise = "median"
    noise_samples: int = 3
    rate_hz: float = 0.0

    def __post_init__(self) -> None:
        if self.eyes not in ("average", "strict average", "left", "right"):
            raise ValueError(f"eyes must be average, strict average, left or right, got {self.eyes!r}")
        if self.noise not in ("median", "average", "none"):
            raise ValueError(f"noise must be median, average or none, got {self.noise!r}")
        if self.noise_samples < 1 or self.noise_samples % 2 == 0 or self.noise_samples > 31:
            raise ValueError(f"noise_samples must be odd, from 1 to 31, got {self.noise_samples}")
        if self.gap_fill_ms < 0 or self.rate_hz < 0:
            raise ValueError("gap_fill_ms and rate_hz cannot be negative")


class GazeTable:
    """Rows of samples in the order they came, with the columns that the stages fill."""

    def __init__(self, cleaning: GazeCleaning, display: Display) -> None:
        self.rows: Table = np.full((2048, N_COLUMNS), np.nan)
        self.state: Table = np.zeros(N_STATE)
        self.state[LAST_VALID : LAST_VALID + 2] = -1
        self.n = 0
        self.n_dropped = 0
        """Rows before the table's first, already consumed and forgotten."""
        self._cleaning = cleaning
        self._display = display
        self._origin_ns = 0
        self._last_segment = 0
        self._geometry = 0
        self._held = np.full((2, 3), np.nan)
        self.interval_ns = 1e9 / cleaning.rate_hz if cleaning.rate_hz else 0.0
        self._half = (cleaning.noise_samples - 1) // 2 if cleaning.noise != "none" else 0
        self._eyes = ("average", "strict average", "left", "right").index(cleaning.eyes)

    @property
    def origin_ns(self) -> int:
        """What to add to a row's time to be on the samples' clock."""
        return self._origin_ns

    @property
    def n_ready(self) -> int:
        """Number of rows at the front of the table whose cleaned gaze is final."""
        return int(self.state[SMOOTHED])

    def append(self, samples: GazeSamples) -> None:
        """Add a chunk at the end."""
        n_new = len(samples)
        if n_new == 0:
            return
        if self.n + n_new > len(self.rows):
            more = np.full((max(len(self.rows), n_new + 1024), N_COLUMNS), np.nan)
            self.rows = np.concatenate([self.rows[: self.n], more])
        if self.n == 0 and self.n_dropped == 0:
            self._origin_ns = int(samples.time_ns[0])
            self._last_segment = int(samples.segment[0])
        if self._geometry == 0:
            self._geometry = _geometry(samples)
        screen = np.array([*self._display.size_mm, self._display.distance_mm], np.float64)
        _enter(
            self.rows,
            self.n,
            self._held,
            self._geometry,
            screen,
            samples.time_ns - self._origin_ns,
            samples.segment,
            self._last_segment,
            samples.gaze_norm,
            samples.gaze_mm,
            samples.origin_mm,
            samples.pupil_mm,
            samples.gaze_valid,
        )
        self._last_segment = int(samples.segment[-1])
        self.n += n_new

    def advance(self, *, is_final: bool) -> None:
        """Clean as many rows as can be."""
        if self.interval_ns == 0.0:
            if self.n_dropped + self.n < 100 and not is_final:
                return
            self.interval_ns = mean_interval_ns(self.rows[: min(self.n, 100), TIME])
        _clean(
            self.rows,
            self.n,
            self.state,
            self._cleaning.gap_fill_ms * 1e6,
            self._eyes,
            self._half,
            self._cleaning.noise == "median",
            is_final,
        )

    def forget(self, n_rows: int) -> None:
        """Drop rows from the front once nobody needs them, and shift the stages accordingly."""
        self.rows[: self.n - n_rows] = self.rows[n_rows : self.n]
        self.n -= n_rows
        self.n_dropped += n_rows
        self.state[FILLED : SMOOTHED + 1] -= n_rows
        for eye in (0, 1):
            last = self.state[LAST_VALID + eye]
            self.state[LAST_VALID + eye] = last - n_rows if last >= n_rows else -1


def mean_interval_ns(time_ns: NDArray[np.float64]) -> float:
    """Mean of the intervals between rows, holes left out; nanoseconds. 0 where there is none."""
    intervals = np.diff(time_ns)
    intervals = intervals[intervals > 0]
    if len(intervals) == 0:
        return 0.0
    regular = intervals[intervals <= max(LONGEST_HOLE_NS, 3 * float(np.median(intervals)))]
    return float(regular.mean())


def _geometry(samples: GazeSamples) -> int:
    """1 where the tracker gives the eyes' positions in space, 2 where it does not, 0 while no eye was seen."""
    seen = samples.gaze_valid & np.all(np.isfinite(samples.gaze_norm), axis=2)
    if not seen.any():
        return 0
    place = np.all(np.isfinite(samples.origin_mm) & np.isfinite(samples.gaze_mm), axis=2)
    row = int(np.argmax(seen.any(axis=1)))
    return 1 if bool((place & seen)[row].any()) else 2


@compiled
def _enter(
    rows: Table,
    n: int,
    held: Table,
    geometry: int,
    screen: Table,
    time: NDArray[np.int64],
    segment: NDArray[np.int64],
    last_segment: int,
    norm: Table,
    point: Table,
    origin: Table,
    pupil: Table,
    valid: NDArray[np.bool_],
) -> None:
    for k in range(len(time)):
        i = n + k
        for column in range(N_COLUMNS):
            rows[i, column] = np.nan
        rows[i, TIME] = time[k]
        before = last_segment if k == 0 else segment[k - 1]
        rows[i, BREAK] = 0.0
        if i > 0:
            step = rows[i, TIME] - rows[i - 1, TIME]
            before_ns = rows[i - 1, TIME] - rows[i - 2, TIME] if i > 1 else np.inf
            is_hole = step > LONGEST_HOLE_NS and step > 3.0 * before_ns
            if segment[k] != before or step <= 0.0 or is_hole:
                rows[i, BREAK] = 1.0
        for eye in range(2):
            c = EYE[eye]
            seen = valid[k, eye] and np.isfinite(norm[k, eye, 0]) and np.isfinite(norm[k, eye, 1])
            if seen and geometry == 1:
                if np.isfinite(origin[k, eye, 0] + origin[k, eye, 1] + origin[k, eye, 2]):
                    for axis in range(3):
                        held[eye, axis] = origin[k, eye, axis]
                seen = np.isfinite(held[eye, 0] + point[k, eye, 0] + point[k, eye, 1] + point[k, eye, 2])
            rows[i, c + VALID] = 1.0 if seen else 0.0
            rows[i, c + PUPIL] = pupil[k, eye]
            if not seen:
                continue
            rows[i, c + NORM] = norm[k, eye, 0]
            rows[i, c + NORM + 1] = norm[k, eye, 1]
            if geometry == 1:
                for axis in range(3):
                    rows[i, c + POINT + axis] = point[k, eye, axis]
                    rows[i, c + ORIGIN + axis] = held[eye, axis]
            else:
                rows[i, c + POINT] = (norm[k, eye, 0] - 0.5) * screen[0]
                rows[i, c + POINT + 1] = (norm[k, eye, 1] - 0.5) * screen[1]
                rows[i, c + POINT + 2] = 0.0
                rows[i, c + ORIGIN] = 0.0
                rows[i, c + ORIGIN + 1] = 0.0
                rows[i, c + ORIGIN + 2] = screen[2]


@compiled
def _clean(
    rows: Table,
    n: int,
    state: Table,
    max_gap_ns: float,
    eyes: int,
    half: int,
    is_median: bool,
    is_final: bool,
) -> None:
    for eye in range(2):
        _fill_gaps(rows, n, state, eye, max_gap_ns, is_final)
    _choose_eyes(rows, int(min(state[FILLED], state[FILLED + 1])), state, eyes)
    _reduce_noise(rows, state, half, is_median, is_final)


@compiled
def _fill_gaps(rows: Table, n: int, state: Table, eye: int, max_gap_ns: float, is_final: bool) -> None:
    c = EYE[eye]
    i = int(state[FILLED + eye])
    last = int(state[LAST_VALID + eye])
    while i < n:
        if rows[i, BREAK] == 1.0:
            last = -1
        if rows[i, c + VALID] == 1.0:
            last = i
            i += 1
            continue
        if last < 0 or max_gap_ns <= 0.0:
            i += 1
            continue
        # The next row that decides: a valid one soon enough, or one that comes too late, or the end of the stretch.
        j = i
        while (
            j < n
            and rows[j, c + VALID] != 1.0
            and rows[j, BREAK] != 1.0
            and rows[j, TIME] - rows[last, TIME] < max_gap_ns
        ):
            j += 1
        if j == n and not is_final:
            break
        if j < n and rows[j, c + VALID] == 1.0 and rows[j, BREAK] != 1.0:
            span = rows[j, TIME] - rows[last, TIME]
            if span < max_gap_ns:
                for k in range(i, j):
                    share = (rows[k, TIME] - rows[last, TIME]) / span
                    for column in range(c + NORM, c + PUPIL):
                        rows[k, column] = rows[last, column] + share * (rows[j, column] - rows[last, column])
                    rows[k, c + VALID] = 2.0
                i = j
                continue
        last = -1
        i += 1
    state[FILLED + eye] = i
    state[LAST_VALID + eye] = last


@compiled
def _choose_eyes(rows: Table, n: int, state: Table, eyes: int) -> None:
    for i in range(int(state[SELECTED]), n):
        _choose(rows, i, state, eyes)
        if rows[i, CHOSEN + VALID] > 0.0:
            ahead = abs(rows[i, CHOSEN + POINT + 2] - rows[i, CHOSEN + ORIGIN + 2])
            across = rows[i, CHOSEN + POINT] - rows[i, CHOSEN + ORIGIN]
            down = rows[i, CHOSEN + POINT + 1] - rows[i, CHOSEN + ORIGIN + 1]
            rows[i, AZIMUTH] = np.degrees(np.arctan2(across, ahead))
            rows[i, ELEVATION] = np.degrees(np.arctan2(down, ahead))
    state[SELECTED] = max(n, int(state[SELECTED]))


@compiled
def _choose(rows: Table, i: int, state: Table, eyes: int) -> None:
    """The gaze of one row from that of its eyes."""
    left, right = EYE
    has_left, has_right = rows[i, left + VALID] > 0.0, rows[i, right + VALID] > 0.0
    rows[i, CHOSEN + VALID] = 0.0
    rows[i, CHOSEN + PUPIL] = _pupil(rows[i, left + PUPIL], rows[i, right + PUPIL], eyes)
    if eyes == 2 or eyes == 3:
        c = left if eyes == 2 else right
        if rows[i, c + VALID] > 0.0:
            rows[i, CHOSEN + VALID] = 1.0
            for k in range(N_OFFSET):
                rows[i, CHOSEN + NORM + k] = rows[i, c + NORM + k]
    elif has_left and has_right:
        rows[i, CHOSEN + VALID] = 1.0
        for k in range(N_OFFSET):
            rows[i, CHOSEN + NORM + k] = 0.5 * (rows[i, left + NORM + k] + rows[i, right + NORM + k])
            state[OFFSET + k] = rows[i, right + NORM + k] - rows[i, left + NORM + k]
        state[HAS_OFFSET] = 1.0
    elif eyes == 0 and (has_left or has_right):
        # The missing eye is taken to be where it last was beside the other one (98.5 to 99.75 % agreement).
        c, sign = (left, 0.5) if has_left else (right, -0.5)
        rows[i, CHOSEN + VALID] = 1.0
        for k in range(N_OFFSET):
            rows[i, CHOSEN + NORM + k] = rows[i, c + NORM + k] + sign * state[HAS_OFFSET] * state[OFFSET + k]


@compiled
def _pupil(left: float, right: float, eyes: int) -> float:
    if eyes == 2:
        return left
    if eyes == 3:
        return right
    if np.isfinite(left) and np.isfinite(right):
        return 0.5 * (left + right)
    return left if np.isfinite(left) else right


@compiled
def _reduce_noise(rows: Table, state: Table, half: int, is_median: bool, is_final: bool) -> None:
    n = int(state[SELECTED])
    window = np.empty(2 * half + 1)
    i = int(state[SMOOTHED])
    while i < n:
        if rows[i, CHOSEN + VALID] == 0.0:
            i += 1
            continue
        # Symmetric: at the ends of a stretch the window shrinks on both sides.
        reach = 0
        while reach < half and i - reach - 1 >= 0 and rows[i - reach, BREAK] == 0.0:
            if rows[i - reach - 1, CHOSEN + VALID] == 0.0:
                break
            reach += 1
        ahead = 0
        while ahead < reach and i + ahead + 1 < n:
            if rows[i + ahead + 1, CHOSEN + VALID] == 0.0 or rows[i + ahead + 1, BREAK] == 1.0:
                break
            ahead += 1
        if ahead < reach and i + ahead + 1 >= n and not is_final:
            break
        reach = min(reach, ahead)
        for k in range(5):
            for m in range(2 * reach + 1):
                window[m] = rows[i - reach + m, CHOSEN + NORM + k]
            rows[i, SMOOTH_NORM + k] = _middle(window, 2 * reach + 1, is_median)
        i += 1
    state[SMOOTHED] = i


@compiled
def _middle(window: Table, n: int, is_median: bool) -> float:
    """Median or mean of the first n values, n odd; sorts them in place. Few values: insertion is quickest."""
    if not is_median:
        total = 0.0
        for k in range(n):
            total += window[k]
        return total / n
    for k in range(1, n):
        value = window[k]
        m = k - 1
        while m >= 0 and window[m] > value:
            window[m + 1] = window[m]
            m -= 1
        window[m + 1] = value
    return float(window[n // 2])
