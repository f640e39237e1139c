"""The points of one live curve: however long a run takes, only as many are kept as a screen can show."""

from __future__ import annotations

import math
from array import array

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 8192
_COLUMNS = MOST_POINTS // 8

Points = NDArray[np.float64]


class CurvePoints:
    """Points in the order of their x. Beyond `MOST_POINTS` they are thinned; the extremes always stay."""

    def __init__(self) -> None:
        self.n_added = 0
        self.low, self.high = math.inf, -math.inf
        self.last_x = -math.inf
        self._xs = array("d")
        self._ys = array("d")

    def __len__(self) -> int:
        return len(self._xs)

    def add(self, x: float, y: float) -> bool:
        """One more point; whether the ones before were thinned for it."""
        self.n_added += 1
        self.low, self.high = min(self.low, y), max(self.high, y)
        self.last_x = max(self.last_x, x)
        self._xs.append(x)
        self._ys.append(y)
        if len(self._xs) <= MOST_POINTS:
            return False
        xs, ys = self.arrays()
        span = max(xs[-1] - xs[0], 1e-12)
        xs, ys = thinned(xs, ys, ((xs - xs[0]) * (_COLUMNS / span)).astype(np.int64))
        self._xs, self._ys = array("d", xs.tobytes()), array("d", ys.tobytes())
        return True

    def arrays(self, start: int = 0) -> tuple[Points, Points]:
        """Both coordinates from one point on; copies, since a view would keep the points from growing."""
        return np.array(self._xs[start:]), np.array(self._ys[start:])


def thinned(xs: Points, ys: Points, columns: NDArray[np.int64]) -> tuple[Points, Points]:
    """First, lowest, highest and last point of each column of pixels: a line through them covers the same pixels.

    xs, ys, columns: (N,), N >= 1; the columns of neighbours are equal or differ.
    Returns x and y, 4 points per column. Source: Jugel et al. 2014, M4, PVLDB 7(10):797.
    """
    starts = np.concatenate([[0], np.flatnonzero(np.diff(columns)) + 1])
    ends = np.concatenate([starts[1:], [len(xs)]]) - 1
    lows, highs = np.minimum.reduceat(ys, starts), np.maximum.reduceat(ys, starts)
    middles = (xs[starts] + xs[ends]) / 2
    thin_xs = np.stack([xs[starts], middles, middles, xs[ends]], axis=1)
    thin_ys = np.stack([ys[starts], lows, highs, ys[ends]], axis=1)
    return thin_xs.ravel(), thin_ys.ravel()
