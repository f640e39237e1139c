"""Joins the eye-openness stream to the gaze stream: the same device stamps, but no promise which comes first."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from acquisition.sample_row import set_openness
from acquisition.tracker import SampleSink

WAIT_FOR = 16
"""Gaze samples that wait for their openness before the oldest goes on without."""


class OpennessMerger:
    """Holds gaze back for a few samples until its openness is there; the order of gaze never changes."""

    def __init__(self, sink: SampleSink) -> None:
        self._sink = sink
        self._gaze: deque[tuple[int, int, bytearray]] = deque()
        self._open: OrderedDict[int, tuple[tuple[float, float], tuple[int, int]]] = OrderedDict()
        self._lock = threading.Lock()  # the two streams may come on two threads; nothing is waited for inside

    def gaze(self, device_us: int, system_us: int, row: bytearray) -> None:
        """A gaze sample as 128 bytes, which are copied."""
        with self._lock:
            self._gaze.append((device_us, system_us, bytearray(row)))
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
            device_us, system_us, row = self._gaze[0]
            found = self._open.pop(device_us, None)
            if found is None and len(self._gaze) <= WAIT_FOR and not everything:
                return
            self._gaze.popleft()
            if found is not None:
                set_openness(row, *found)
            self._sink.packed_sample(device_us, system_us, row)
