"""Sends the gaze of a running tracker to the lab streaming layer, with its capture times."""

from __future__ import annotations

import logging
import threading

from acquisition.host import TrackerHost
from acquisition.lsl_channels import CHANNELS, STREAM_TYPE, to_channels
from acquisition.trackers.lsl import load_pylsl, lsl_offset_ns

log = logging.getLogger(__name__)

POLL_S = 0.004


class LslOutlet:
    """An option of the application; it reads the ring like any other reader and can never hold up a recording."""

    def __init__(self, host: TrackerHost, *, name: str = "Sightline gaze") -> None:
        self._host = host
        self._pylsl = load_pylsl()
        info = host.info
        stream = self._pylsl.StreamInfo(
            name, STREAM_TYPE, len(CHANNELS), info.rate_hz, "double64", f"sightline-{info.driver}-{info.serial}"
        )
        stream.desc().append_child_value("manufacturer", info.driver)
        stream.desc().append_child_value("model", info.model)
        stream.desc().append_child_value("simulated", "1" if info.is_simulated else "0")
        channels = stream.desc().append_child("channels")
        for label, _, _ in CHANNELS:
            channels.append_child("channel").append_child_value("label", label)
        self._outlet = self._pylsl.StreamOutlet(stream, 0, 60)
        self._offset_ns = lsl_offset_ns(self._pylsl)
        self._position = host.ring.head
        self.n_sent = 0
        self.n_missed = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lsl-outlet", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sending."""
        self._stopping.set()
        self._thread.join()
        del self._outlet

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            try:
                rows, self._position, missed = self._host.read_since(self._position)
                self.n_missed += missed
                values = to_channels(rows)
                for row, time_ns in zip(values, rows["time_ns"], strict=True):
                    self._outlet.push_sample(list(row), (int(time_ns) - self._offset_ns) / 1e9)
                self.n_sent += len(rows)
            except Exception:
                log.exception("the lab streaming layer could not be served")
