"""The mouse as a tracker: for trying things out without one; its gaze is the pointer."""

from __future__ import annotations

import threading

import numpy as np

from acquisition.display_area import display_corners
from acquisition.tracker import Clock, SampleSink, Tracker, TrackerSettings, trackers
from domain.gaze import SAMPLE_RECORD
from domain.session import TrackerInfo

DEFAULT_RATE_HZ = 60.0


@trackers.register("mouse")
class MouseTracker(Tracker):
    """Emits the place it was last told of at a steady rate; nothing valid before the first.

    The application tells it where the pointer is (`TrackerHost.point_at`): the host has no window system.
    """

    name = "mouse"
    label = "Mouse"

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self._rate_hz = settings.rate_hz or DEFAULT_RATE_HZ
        self._at: tuple[float, float] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @classmethod
    def discover(cls) -> list[TrackerInfo]:
        """The one there always is."""
        return [TrackerInfo("mouse", model="Mouse pointer", serial="MOUSE", is_simulated=True)]

    @property
    def info(self) -> TrackerInfo:
        """What the tracker says about itself now."""
        return TrackerInfo(
            "mouse",
            model="Mouse pointer",
            serial="MOUSE",
            rate_hz=self._rate_hz,
            rates_hz=(self._rate_hz,),
            display_area_mm=display_corners(self.settings.display),
            is_simulated=True,
        )

    def start(self, sink: SampleSink) -> None:
        """Stream until `stop`."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(sink,), name="mouse", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop streaming."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            thread.join()

    def point_at(self, x_norm: float, y_norm: float) -> None:
        """Where the pointer is now."""
        self._at = (x_norm, y_norm)

    def _run(self, sink: SampleSink) -> None:
        period_ns = 1e9 / self._rate_hz
        began_ns = self.clock.now_ns()
        n_out = 0
        while not self._stopping.is_set():
            due = int((self.clock.now_ns() - began_ns) / period_ns) + 1
            if due > n_out:
                sink.samples(self._rows(began_ns, n_out, due, period_ns))
                n_out = due
            speed = self.settings.speed or 1.0
            self._stopping.wait(period_ns / 1e9 / 2 / speed)

    def _rows(
        self, began_ns: int, first: int, stop: int, period_ns: float
    ) -> np.ndarray[tuple[int], np.dtype[np.void]]:
        rows = np.zeros(stop - first, SAMPLE_RECORD)
        rows["time_ns"] = began_ns + (np.arange(first, stop) * period_ns).astype(np.int64)
        rows["device_us"] = rows["system_us"] = rows["time_ns"] // 1000
        at = self._at
        width, height = self.settings.display.size_mm
        for name in ("gaze_norm", "gaze_mm", "pupil_mm", "openness_mm"):
            rows[name] = np.nan
        rows["origin_mm"] = (0.0, height / 2.0, self.settings.display.distance_mm)
        rows["origin_valid"] = 1
        if at is not None:
            rows["gaze_norm"] = at
            rows["gaze_mm"] = ((at[0] - 0.5) * width, (1.0 - at[1]) * height, 0.0)
            rows["gaze_valid"] = 1
        return rows
