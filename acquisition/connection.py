"""Watches the stream: notices silence and lost connections, and brings the tracker back."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from acquisition.recorder import Recorder
from acquisition.tracker import CONNECTION_LOST, CONNECTION_RESTORED, HOST_LATE, Tracker
from domain.errors import UserFacingError

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
LOOK_EVERY_S = 0.05
AFTER_ERROR_S = 0.25
SILENT_AFTER_S = 1.0
LATE_AFTER_S = 0.25
"""A look so late means that this process was not scheduled, which says nothing about the tracker."""


class Connection:
    """One thread that keeps a tracker streaming: streaming, silent, lost, or stopped."""

    def __init__(self, tracker: Tracker, recorder: Recorder, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.state = "stopped"
        self._tracker = tracker
        self._recorder = recorder
        self._sleep = sleep
        self._lost = threading.Event()
        self._restored = threading.Event()
        self._closing = threading.Event()
        self._is_watched = tracker.settings.speed > 0
        self._n_heard = 0
        self._unheard_s = 0.0
        self._identity: tuple[str, object] = ("", ())
        self._lock = threading.Lock()  # start, stop and reconnect never overlap
        self._thread = threading.Thread(target=self._watch, name="connection", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Stream from now on."""
        with self._lock:
            self._identity = self._calibration_and_area()
            self._tracker.start(self._recorder)
            self.state = "streaming"

    def remember_calibration(self) -> None:
        """Take the calibration and display area as they are now for the ones to expect after a reconnection."""
        self._identity = self._calibration_and_area()

    def on_notification(self, kind: str) -> None:
        """What the driver said; called on the driver's thread."""
        if kind == CONNECTION_LOST:
            self._lost.set()
        elif kind == CONNECTION_RESTORED:
            self._restored.set()

    def close(self) -> None:
        """Stop streaming and watching."""
        self._closing.set()
        self._thread.join(timeout=10.0)
        self.state = "stopped"

    def _watch(self) -> None:
        looked_ns = time.perf_counter_ns()
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                now_ns = time.perf_counter_ns()
                since_s, looked_ns = (now_ns - looked_ns) / 1e9, now_ns
                if self._lost.is_set() or self.state == "lost":  # lost: an attempt ended in an error nobody foresaw
                    self._bring_back()
                    looked_ns, self._unheard_s = time.perf_counter_ns(), 0.0  # that took its time; nobody was late
                elif self.state in ("streaming", "silent") and self._is_watched:
                    self._look_for_silence(since_s)
            except Exception:
                log.exception("the connection is still watched after an error")
                self._closing.wait(AFTER_ERROR_S)
                looked_ns = time.perf_counter_ns()

    def _look_for_silence(self, since_s: float) -> None:
        """Count only the time in which this process ran: who was not scheduled cannot call the tracker silent."""
        if since_s > LOOK_EVERY_S + LATE_AFTER_S:
            self._recorder.notify(HOST_LATE, {"seconds": round(since_s, 3)})
        n_taken = self._recorder.n_taken
        is_new, self._n_heard = n_taken != self._n_heard, n_taken
        self._unheard_s = 0.0 if is_new else self._unheard_s + min(since_s, 2 * LOOK_EVERY_S)
        if self.state == "streaming" and self._unheard_s > SILENT_AFTER_S:
            self.state = "silent"
            self._recorder.notify("tracker_silent", {"seconds": round(self._unheard_s, 3)})
        elif self.state == "silent" and is_new:
            self.state = "streaming"
            self._recorder.notify("tracker_speaks_again", {})

    def _bring_back(self) -> None:
        self.state = "lost"
        self._restored.clear()
        began = time.perf_counter_ns()
        wait_s = FIRST_WAIT_S
        tries = 0
        while not self._closing.is_set():
            tries += 1
            try:
                with self._lock:
                    self._tracker.stop()
                    self._tracker.reconnect()
                    before, now = self._identity, self._calibration_and_area()
                    segment = self._recorder.next_segment()
                    self._lost.clear()
                    self._tracker.start(self._recorder)
            except (UserFacingError, OSError) as error:
                log.info("reconnection %d failed: %s", tries, error)
                # The device's own word that it is back ends the wait early.
                self._restored.wait(wait_s)
                self._restored.clear()
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
                continue
            self.state = "streaming"
            self._recorder.notify(
                "reconnected",
                {
                    "tries": tries,
                    "seconds": round((time.perf_counter_ns() - began) / 1e9, 3),
                    "segment": segment,
                    # None: nobody can know.
                    "is_calibration_same": before[0] == now[0] if self._tracker.tells_calibration else None,
                    "is_display_area_same": before[1] == now[1],
                },
            )
            return

    def _calibration_and_area(self) -> tuple[str, object]:
        data = self._tracker.calibration_data()
        return hashlib.sha256(data).hexdigest(), _rounded(self._tracker.info.display_area_mm)


def _rounded(corners: Any) -> tuple[tuple[float, ...], ...]:  # Any: three corners or nothing
    return tuple(tuple(round(float(value), 2) for value in corner) for corner in corners)
