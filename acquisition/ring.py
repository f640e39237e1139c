"""The shared-memory ring: one process writes gaze samples, any other reads them without asking."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.gaze import SAMPLE_RECORD

SLOTS = 65_536
_MAGIC = 0x53474C52
_VERSION = 1
_HEADER_BYTES = 4096
_ROW_BYTES = SAMPLE_RECORD.itemsize
_N_NUMBERS = 10
_MAGIC_AT, _VERSION_AT, _SLOTS, _HEAD, _TAIL, _OVERFLOW, _HEARTBEAT, _EPOCH, _STOPPED, _SPEED = range(_N_NUMBERS)
"""The header: int64 each, the speed a float64. One aligned 8-byte store each, so that nobody reads half a number."""


class SharedClock:
    """The host's clock as both processes see it: real, faster than real, or advanced by command."""

    def __init__(self, header: memoryview) -> None:
        self._numbers = header.cast("q")
        self._speeds = header.cast("d")

    def set_speed(self, speed: float) -> None:
        """1 = real time, more = faster, 0 = stands still."""
        self._numbers[_EPOCH] = self._numbers[_STOPPED] = time.perf_counter_ns()
        self._speeds[_SPEED] = speed

    def advance_to(self, time_ns: int) -> None:
        """Move a clock that stands still."""
        self._numbers[_STOPPED] = time_ns

    def now_ns(self) -> int:
        """Now, nanoseconds; with speed 1 the same as `time.perf_counter_ns()` in any process of this machine."""
        speed = self._speeds[_SPEED]
        if speed == 1.0:
            return time.perf_counter_ns()
        if speed == 0.0:
            return self._numbers[_STOPPED]
        epoch = self._numbers[_EPOCH]
        return epoch + int((time.perf_counter_ns() - epoch) * speed)


def shared_folder() -> Path:
    """Where shared memory lives as files: RAM where the system offers it, the temporary folder elsewhere."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


class Ring:
    """65 536 slots of 128 bytes behind a header; positions count all samples ever written.

    The writer never overwrites what the journal has not taken yet (`tail`) while `keep` is set: it counts an overflow.
    """

    def __init__(self, path: Path, *, create: bool = False, slots: int = SLOTS) -> None:
        self.path = path
        if create:
            with path.open("xb") as file:
                file.truncate(_HEADER_BYTES + slots * SAMPLE_RECORD.itemsize)
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        # A memoryview stores its eight bytes at once, as numpy does, in a third of the time.
        header = memoryview(self._memory)[: _N_NUMBERS * 8]
        self._numbers = header.cast("q")
        self.clock = SharedClock(header)
        if create:
            self._numbers[_SLOTS] = slots
            self._numbers[_VERSION_AT] = _VERSION
            self.clock.set_speed(1.0)
            self._numbers[_MAGIC_AT] = _MAGIC
        if self._numbers[_MAGIC_AT] != _MAGIC or self._numbers[_VERSION_AT] != _VERSION:
            raise ValueError(f"{path} is not a ring of version {_VERSION}")
        self.slots = self._numbers[_SLOTS]
        self._rows = np.frombuffer(self._memory, SAMPLE_RECORD, count=self.slots, offset=_HEADER_BYTES)
        self.keep = False
        self._head = self._numbers[_HEAD]
        self._is_closed = False

    @classmethod
    def continued(cls, earlier: Ring, path: Path) -> Ring:
        """A new ring that goes on where one ended whose writer has died: same samples, positions and clock."""
        with path.open("xb") as file:
            file.write(earlier._memory)
        ring = cls(path)
        ring._numbers[_TAIL] = ring._numbers[_HEAD]
        ring._numbers[_OVERFLOW] = 0
        ring.beat()
        return ring

    def leave(self) -> None:
        """Delete the file; the memory goes when nobody reads it any more."""
        # Windows refuses while the file is mapped; it lies in the temporary folder then.
        with contextlib.suppress(PermissionError):
            self.path.unlink(missing_ok=True)

    # Writer -----------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """Have the system give all the memory now, not page by page inside a driver's callback (20 us each)."""
        pages = np.frombuffer(self._memory, np.uint8)[:: mmap.PAGESIZE]
        pages[:] = pages.copy()

    def append(self, rows: NDArray[np.void]) -> int:
        """Add rows; returns how many did not fit because the journal is behind."""
        n = len(rows)
        head = self._head
        room = self.slots - (head - self._numbers[_TAIL]) if self.keep else self.slots
        lost = max(0, n - room)
        if lost:
            rows = rows[: n - lost]
            n -= lost
            self._numbers[_OVERFLOW] += lost
        start = head % self.slots
        first = min(n, self.slots - start)
        self._rows[start : start + first] = rows[:first]
        if first < n:
            self._rows[: n - first] = rows[first:]
        self._head = head + n
        self._numbers[_HEAD] = self._head
        return lost

    def append_packed(self, row: bytes | bytearray) -> None:
        """Add one row of 128 bytes: the quick way for a driver's callback."""
        head = self._head
        if self.keep and head - self._numbers[_TAIL] >= self.slots:
            self._numbers[_OVERFLOW] += 1
            return
        at = _HEADER_BYTES + (head % self.slots) * _ROW_BYTES
        self._memory[at : at + _ROW_BYTES] = row
        self._numbers[_HEAD] = self._head = head + 1  # after the row, in one store

    def room(self) -> int:
        """How many rows fit before the journal must have taken some."""
        return self.slots - (self.head - self.tail)

    @property
    def tail(self) -> int:
        """Position up to which the journal has taken the samples."""
        return self._numbers[_TAIL]

    @tail.setter
    def tail(self, position: int) -> None:
        self._numbers[_TAIL] = position

    def beat(self) -> None:
        """Say that the host is alive."""
        self._numbers[_HEARTBEAT] = time.perf_counter_ns()

    # Readers ----------------------------------------------------------------------------------------------------

    @property
    def head(self) -> int:
        """Position after the newest sample."""
        return self._numbers[_HEAD]

    @property
    def n_overflow(self) -> int:
        """Samples that found no room."""
        return self._numbers[_OVERFLOW]

    @property
    def heartbeat_age_s(self) -> float:
        """Seconds since the host last said that it is alive."""
        return (time.perf_counter_ns() - self._numbers[_HEARTBEAT]) / 1e9

    def between(self, start: int, stop: int) -> NDArray[np.void]:
        """A copy of the samples at positions start to stop, which must still be in the ring."""
        first, last = start % self.slots, stop % self.slots
        if stop <= start:
            return np.zeros(0, SAMPLE_RECORD)
        if first < last:
            return self._rows[first:last].copy()
        return np.concatenate([self._rows[first:], self._rows[:last]])

    def read_since(self, position: int) -> tuple[NDArray[np.void], int, int]:
        """Samples from a position on, the next position, and how many came too late to be read here."""
        head = self.head
        start = max(position, head - self.slots + min(1024, self.slots // 4), 0)
        rows = self.between(start, head)
        overrun = self.head - self.slots - start  # written over while they were copied
        if overrun > 0:
            rows, start = rows[overrun:], start + overrun
        # A slot whose number does not rise is one whose content has not arrived yet on a weakly ordered machine.
        falls = np.flatnonzero(np.diff(rows["seq"]) <= 0)
        if len(falls):
            rows = rows[: int(falls[0]) + 1]
        return rows, start + len(rows), start - position

    def latest(self, n: int) -> NDArray[np.void]:
        """The newest n samples (fewer at the beginning)."""
        return self.read_since(max(0, self.head - n))[0]

    def close(self, *, remove: bool = False) -> None:
        """Let the memory go; `remove` deletes its file. Whoever still holds the clock keeps a clock."""
        if self._is_closed:
            return
        self._is_closed = True
        del self._rows
        kept = memoryview(bytearray(self._numbers))
        self.clock = SharedClock(kept)
        self._numbers.release()
        self._numbers = kept.cast("q")
        # A driver's thread may still hold the clock; then the memory goes with that thread.
        with contextlib.suppress(BufferError):
            self._memory.close()
        if remove:
            # Windows refuses to delete what the other process still maps; that one deletes it then.
            with contextlib.suppress(PermissionError):
                self.path.unlink(missing_ok=True)
