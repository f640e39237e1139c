"""Takes samples from a driver's thread to the ring, and from the ring to the journal."""

from __future__ import annotations

import logging
import queue
import shutil
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.clock_map import LiveClockMap, ProbeWindow
from acquisition.ring import Ring
from storage.journal import JournalEvent, JournalWriter

log = logging.getLogger(__name__)

WRITE_EVERY_S = 0.020
SYNC_EVERY_S = 0.250
DISK_CHECK_EVERY_S = 2.0
JUMP_NS = 250_000_000
"""A sample so far in the future means that the device clock has jumped."""

STEADY_US = 50_000
"""A sample that follows the one before so closely cannot have jumped."""

_SEQ_TIME, _SEGMENT = struct.Struct("<2q"), struct.Struct("<I")
_SEGMENT_AT = 120

OnEvent = Callable[[str, Mapping[str, Any]], None]


class Recorder:
    """The sink of the driver and the only writer of ring and journal.

    `samples` runs on the driver's thread and takes no lock and touches no file. One thread of this class moves samples
    and events to the journal every 20 ms, another one syncs it, so that a slow disk delays neither.
    """

    def __init__(
        self,
        ring: Ring,
        on_event: OnEvent,
        *,
        system_offset_ns: int = 0,
        warn_bytes: int = 5 << 30,
        stop_bytes: int = 1 << 30,
    ) -> None:
        self.ring = ring
        self.system_offset_ns = system_offset_ns
        self.warn_bytes = warn_bytes
        self.stop_bytes = stop_bytes
        self.n_overflow_seen = 0
        self._on_event = on_event
        # Numbers go on where an earlier host ended that had this ring.
        self._seq = ring.head
        earlier = ring.latest(1)
        self._segment = int(earlier["segment"][-1]) + 1 if len(earlier) else 0
        self._map = LiveClockMap(after_ns=int(earlier["time_ns"][-1])) if len(earlier) else LiveClockMap()
        self._last_device_us = -(1 << 62)
        self._probes: deque[tuple[int, int, int]] = deque()
        self._is_one_by_one = False
        self._has_jumped = False  # as a probe says; the next sample begins a segment
        self._to_fit: deque[tuple[int, tuple[int, int, int]]] = deque()
        self._fit_lock = threading.Lock()
        self._window, self._window_resets = ProbeWindow(), 0
        self._events: queue.SimpleQueue[JournalEvent] = queue.SimpleQueue()
        self._pending: JournalEvent | None = None
        self._writer: JournalWriter | None = None
        self._writer_lock = threading.Lock()
        self._hold_at: int | None = None
        self._closing = threading.Event()
        self._disk_state = "good"
        self._last_write_error = ""
        self._threads = [
            threading.Thread(target=self._write_loop, name="journal-write", daemon=True),
            threading.Thread(target=self._sync_loop, name="journal-sync", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # The driver's side ------------------------------------------------------------------------------------------

    def samples(self, rows: NDArray[np.void]) -> None:
        """Number the rows, put them on the host's clock and into the ring."""
        n = len(rows)
        if n == 0:
            return
        self._take_probes()
        device_us = rows["device_us"]
        if n == 1 or bool((device_us[1:] >= device_us[:-1]).all()):
            self._split_at_jump(int(device_us[0]))
            self._put(rows)
            return
        for part in np.split(rows, np.flatnonzero(np.diff(device_us) < 0) + 1):
            self._split_at_jump(int(part["device_us"][0]))
            self._put(part)

    def packed_sample(self, device_us: int, system_us: int, row: bytearray) -> None:
        """One sample as 128 bytes, numbered and timed in place: two microseconds where the caches are warm.

        After a millisecond's sleep they are not, and each function that is called costs one more: hence few of them.
        """
        if self._has_jumped or not 0 <= device_us - self._last_device_us <= STEADY_US:
            if not self._is_one_by_one:
                self._take_probes()
                self._window, self._window_resets = self._map.window, self._map.n_resets
                self._is_one_by_one = True
            self._split_at_jump(device_us)
        if self._map.line is None:
            fallback_ns = system_us * 1000 + self.system_offset_ns if system_us else self.ring.clock.now_ns()
        else:
            fallback_ns = 0
        seq = self._seq
        _SEQ_TIME.pack_into(row, 0, seq, self._map.one_time_ns(device_us, fallback_ns))
        _SEGMENT.pack_into(row, _SEGMENT_AT, self._segment)
        self._last_device_us = device_us
        self._seq = seq + 1
        self.ring.append_packed(row)

    @property
    def n_taken(self) -> int:
        """How many samples the driver has handed over."""
        return self._seq

    def _split_at_jump(self, device_us: int) -> None:
        line = self._map.line
        if (
            self._has_jumped
            or device_us < self._last_device_us
            or (
                line is not None
                and line.base_ns + (device_us - line.base_us) * 1000 > self.ring.clock.now_ns() + JUMP_NS
            )
        ):
            self._begin_segment_at_jump(device_us)

    def _take_probes(self) -> None:
        while self._probes:
            probe = self._probes.popleft()
            if self._is_off(*probe):
                self._begin_segment_at_jump(probe[1])
                self._last_device_us = -(1 << 62)
            self._map.add_probe(*probe)

    def _is_off(self, request_us: int, device_us: int, response_us: int) -> bool:
        """Whether a probe lies so far from the line that the device clock must have jumped."""
        line = self._map.line
        expected_us = line.one_time_ns(device_us) // 1000 if line is not None else request_us
        return not request_us - JUMP_NS // 1000 <= expected_us <= response_us + JUMP_NS // 1000

    def _begin_segment_at_jump(self, device_us: int) -> None:
        self._map.reset()
        self._has_jumped = False
        self._segment += 1
        self.notify("clock_jump", {"from_us": self._last_device_us, "to_us": device_us, "segment": self._segment})

    def _put(self, rows: NDArray[np.void]) -> None:
        n = len(rows)
        self._last_device_us = int(rows["device_us"][-1])
        rows["seq"] = np.arange(self._seq, self._seq + n) if n > 1 else self._seq
        rows["segment"] = self._segment
        if rows["time_ns"][0] == 0:
            known = rows["system_us"] * 1000 + self.system_offset_ns
            fallback = known if rows["system_us"][0] else np.full(n, self.ring.clock.now_ns(), np.int64)
            rows["time_ns"] = self._map.time_ns(rows["device_us"], fallback)
        else:
            rows["time_ns"] = self._map.monotone(rows["time_ns"])
        self._seq += n
        self.ring.append(rows)

    def wait_for_room(self, n: int) -> None:
        """Wait until the journal has taken enough that n rows fit; only for drivers whose time stands still."""
        while self.ring.keep and self.ring.room() < n and not self._closing.is_set():
            time.sleep(0.002)

    def next_segment(self) -> int:
        """Begin a new segment, after a reconnection."""
        self._segment += 1
        self._map.reset()
        self._last_device_us = -(1 << 62)
        return self._segment

    def time_probe(self, request_us: int, device_us: int, response_us: int) -> None:
        """Keep a clock probe verbatim and use it for the samples to come."""
        offset_us = self.system_offset_ns // 1000
        probe = (request_us + offset_us, device_us, response_us + offset_us)
        if self._is_one_by_one:  # a fit would keep a callback waiting; the journal's thread has the time
            self._has_jumped = self._has_jumped or self._is_off(*probe)
            self._to_fit.append((self._map.n_resets + self._has_jumped, probe))
        else:
            self._probes.append(probe)
        self.event("time_sync", {"request_us": request_us, "device_us": device_us, "response_us": response_us})

    def fit_probes(self) -> None:
        """Fit the clock's line where the driver gives samples one by one; called on the journal's thread."""
        with self._fit_lock:
            while self._to_fit:
                n_resets, probe = self._to_fit.popleft()
                if n_resets != self._window_resets:
                    self._window, self._window_resets = ProbeWindow(), n_resets
                line = self._window.add(*probe)
                if line is not None:
                    self._map.newer = (n_resets, line)

    def notify(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Journal a notification and tell the application."""
        stamped = {"time_ns": self.ring.clock.now_ns(), **payload}
        self.event("notification", {"kind": kind, **stamped})
        self._on_event(kind, stamped)

    # The journal's side -----------------------------------------------------------------------------------------

    @property
    def is_recording(self) -> bool:
        """Whether a journal is open."""
        return self._writer is not None

    def event(self, kind: str, values: Mapping[str, Any], blob: bytes = b"") -> None:
        """Have something that is not a sample written; without a journal it is forgotten."""
        if self._writer is not None:
            self._events.put(JournalEvent(kind, dict(values), blob))

    def start(self, path: Path, header: dict[str, Any]) -> int:
        """Open a journal; samples from now on are kept. Returns the position of the first one."""
        with self._writer_lock:
            if self._writer is not None:
                raise ValueError(f"a recording into {self._writer.path} is running")
            writer = JournalWriter(path, header)
            while not self._events.empty():
                self._events.get_nowait()
            self.ring.tail = self.ring.head
            self.ring.keep = True
            self._writer = writer
            self._hold_at = None
            self.n_overflow_seen = self.ring.n_overflow
            return self.ring.tail

    def hold(self) -> int:
        """Take no more samples but still events; returns the position after the last sample taken."""
        with self._writer_lock:
            if self._hold_at is None:
                self._hold_at = self.ring.head
                self.ring.keep = False
                if self._writer is not None:
                    self._drain(self._writer)
            return self._hold_at

    def stop(self, reason: str = "complete") -> dict[str, Any]:
        """Write what is left, close the journal, and say what it holds."""
        with self._writer_lock:
            writer = self._writer
            if writer is None:
                return {}
            self._drain(writer)
            n_overflow = self.ring.n_overflow - self.n_overflow_seen
            end = {"reason": reason, "ended_ns": self.ring.clock.now_ns(), "n_overflow": n_overflow}
            self._writer = None
            self.ring.keep = False
            try:
                writer.close(end)
            except OSError:
                log.exception("the closing frame could not be written; recovery will do without")
                writer.abandon()
            return {**end, "n_samples": writer.n_samples, "sha256": writer.sha256, "n_bytes": writer.n_bytes}

    def counts(self) -> dict[str, Any]:
        """How far the journal is."""
        writer = self._writer
        return {
            "is_recording": writer is not None,
            "n_recorded": writer.n_samples if writer else 0,
            "n_bytes": writer.n_bytes if writer else 0,
            "disk": self._disk_state,
            "write_error": self._last_write_error,
        }

    def close(self) -> None:
        """Finish the journal and the threads."""
        self.stop("the host was closed")
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout=5.0)

    def _drain(self, writer: JournalWriter) -> None:
        try:
            position = self.ring.tail
            head = self.ring.head if self._hold_at is None else self._hold_at
            while position < head:
                stop = min(head, position + 16_384)
                writer.write_samples(self.ring.between(position, stop))
                self.ring.tail = position = stop
            while self._pending is not None or not self._events.empty():
                self._pending = self._pending or self._events.get_nowait()
                writer.write_event(self._pending)
                self._pending = None
            self._last_write_error = ""
        except OSError as error:
            # The samples stay in the ring and are tried again; the ring holds 54 s at 1200 Hz.
            if str(error) != self._last_write_error:
                log.exception("the journal could not be written")
                self._last_write_error = str(error)
                self._on_event("write_error", {"time_ns": self.ring.clock.now_ns(), "message": str(error)})

    def _write_loop(self) -> None:
        next_disk_check = 0.0
        overflow_told = 0
        while not self._closing.wait(WRITE_EVERY_S):
            try:
                self.ring.beat()
                self.fit_probes()
                with self._writer_lock:
                    if self._writer is not None:
                        self._drain(self._writer)
                overflow = self.ring.n_overflow
                if overflow > overflow_told:
                    self.notify("overflow", {"n_lost": overflow - overflow_told})
                    overflow_told = overflow
                if time.monotonic() >= next_disk_check:
                    next_disk_check = time.monotonic() + DISK_CHECK_EVERY_S
                    self._check_disk()
            except Exception:
                log.exception("the journal thread goes on after an error")

    def _check_disk(self) -> None:
        writer = self._writer
        if writer is None:
            return
        free = shutil.disk_usage(writer.path.parent).free
        state = "full" if free < self.stop_bytes else "low" if free < self.warn_bytes else "good"
        if state != self._disk_state:
            self._disk_state = state
            if state == "low":
                self.notify("disk_low", {"free_bytes": free})
            elif state == "full":
                self.notify("disk_full", {"free_bytes": free})
                self._on_event("recording_stopped", self.stop("disk full"))

    def _sync_loop(self) -> None:
        while not self._closing.wait(SYNC_EVERY_S):
            writer = self._writer
            if writer is not None:
                try:
                    writer.sync()
                except (OSError, ValueError):
                    log.exception("the journal could not be synced")
