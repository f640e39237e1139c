"""Joins the eye-openness stream to the gaze stream: the same device stamps, but no promise which comes first."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

import numpy as np
from numpy.typing import NDArray

from acquisition.tracker import SampleSink

WAIT_FOR = 16
"""Gaze samples that wait for their openness before the oldest goes on without."""


class OpennessMerger:
    """Holds gaze back for a few samples until its openness is there; the order of gaze never changes."""

    def __init__(self, sink: SampleSink) -> None:
        self._sink = sink
        self._gaze: deque[NDArray[np.void]] = deque()
        self._open: OrderedDict[int, tuple[tuple[float, float], tuple[int, int]]] = OrderedDict()
        self._lock = threading.Lock()  # the two streams may come on two threads; nothing is waited for inside

    def gaze(self, row: NDArray[np.void]) -> None:
        """A gaze sample (one row, copied)."""
        with self._lock:
            self._gaze.append(row.copy())
            self._release()

    def openness(self, device_us: int, values_mm: tuple[float, float], valid: tuple[int, int]) -> None:
        """The openness of both eyes at a device stamp."""
        with self._lock:
            self._open[device_us] = (values_mm, valid)
            while len(self._open) > 4 * WAIT_FOR:
                self._open.popitem(last=False)
            self._release()

    def flush(self) -> None:
        """No more will come: everything goes on as it is."""
        with self._lock:
            self._release(everything=True)

    def _release(self, *, everything: bool = False) -> None:
        while self._gaze:
            row = self._gaze[0]
            found = self._open.pop(int(row["device_us"][0]), None)
            if found is None and len(self._gaze) <= WAIT_FOR and not everything:
                return
            self._gaze.popleft()
            if found is not None:
                values, valid = found
                row["openness_mm"] = values
                row["openness_valid"] = [bool(flag) for flag in valid]
            self._sink.samples(row)
