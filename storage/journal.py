"""The journal: what a recording writes while it runs, so that nothing seen can be lost (docs/formats/journal.md).

numpy and the standard library only: the tracker host may run under another interpreter.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError, NewerVersionError
from domain.gaze import SAMPLE_RECORD

FILE_MAGIC = b"SIGHTLINE-JOURNAL"
FORMAT_VERSION = 1
FRAME_MAGIC = b"SLF\x1a"
HEADER, SAMPLES, EVENT, END = 1, 2, 3, 4
MAX_PAYLOAD = 1 << 26

_FRAME = struct.Struct("<4sHHIQI")
_PREAMBLE = struct.Struct("<17sBH")
_JSON_LENGTH = struct.Struct("<I")
_LOCKED_BYTE = 1 << 62  # far behind any journal: on Windows a locked byte cannot be read


@dataclass(frozen=True)
class JournalEvent:
    """One thing that is not a sample: its kind, JSON values, and bytes where it has any."""

    kind: str
    values: dict[str, Any]  # Any: JSON values
    blob: bytes = b""


@dataclass(frozen=True)
class Journal:
    """What could be read. `n_bytes_valid` is the length of the good prefix, `n_bytes` that of the file.

    n_frames_missing counts frames that damage in the middle took away (0 where only the end is missing).
    """

    header: dict[str, Any]
    samples: NDArray[np.void]
    events: list[JournalEvent] = field(default_factory=list)
    end: dict[str, Any] | None = None
    n_bytes: int = 0
    n_bytes_valid: int = 0
    n_frames_missing: int = 0


def _fdatasync(handle: int) -> None:
    sync = getattr(os, "fdatasync", os.fsync)  # Windows and macOS have no fdatasync
    sync(handle)


def _lock(handle: int) -> bool:
    """Mark a journal as being written, as long as this process lives; False where somebody else does."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_being_written(path: Path) -> bool:
    """Whether a living process holds this journal open for writing."""
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


class JournalWriter:
    """Appends frames to a new file; one thread writes, any other may call `sync`."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self.n_samples = 0
        self.n_bytes = 0
        self._frame_number = 0
        self._hash = hashlib.sha256()
        self._handle_lock = threading.Lock()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._handle = os.open(path, flags, 0o644)
        self._hold_lock()
        self._write(_PREAMBLE.pack(FILE_MAGIC, 0, FORMAT_VERSION))
        self._frame(HEADER, json.dumps({**header, "record": SAMPLE_RECORD.descr}).encode())
        self.sync()
        _sync_folder(path.parent)

    def _hold_lock(self) -> None:
        """Somebody who looks for journals to recover may hold the lock for a moment."""
        deadline = time.monotonic() + 5.0
        while not _lock(self._handle):
            if time.monotonic() > deadline:
                os.close(self._handle)
                raise OSError(f"{self.path} is locked by another program")
            time.sleep(0.01)

    @property
    def sha256(self) -> str:
        """Hash over the bytes of all sample rows so far."""
        return self._hash.hexdigest()

    def write_samples(self, rows: NDArray[np.void]) -> None:
        """Append rows of `SAMPLE_RECORD`."""
        if len(rows):
            payload = rows.tobytes()
            self._frame(SAMPLES, payload)
            self._hash.update(payload)
            self.n_samples += len(rows)

    def write_event(self, event: JournalEvent) -> None:
        """Append something that is not a sample."""
        text = json.dumps({"kind": event.kind, "values": event.values}).encode()
        self._frame(EVENT, _JSON_LENGTH.pack(len(text)) + text + event.blob)

    def sync(self) -> None:
        """Wait until the disk has everything written so far; for a thread that may wait."""
        with self._handle_lock:
            handle = os.dup(self._handle) if self._handle >= 0 else -1
        if handle >= 0:  # a copy, so that nobody waits for the disk who only wants to write or close
            try:
                _fdatasync(handle)
            finally:
                os.close(handle)

    def close(self, end: dict[str, Any] | None = None) -> None:
        """Write the closing frame with count and hash, unless `end` is None, and close the file."""
        if end is not None:
            self._frame(END, json.dumps({**end, "n_samples": self.n_samples, "sha256": self.sha256}).encode())
        self.sync()
        self.abandon()

    def abandon(self) -> None:
        """Close the file as it is; `read_journal` makes the best of it."""
        with self._handle_lock:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def _frame(self, kind: int, payload: bytes) -> None:
        head = _FRAME.pack(FRAME_MAGIC, kind, 0, len(payload), self._frame_number, 0)
        crc = zlib.crc32(payload, zlib.crc32(head[:-4]))
        self._write(head[:-4] + struct.pack("<I", crc) + payload)
        self._frame_number += 1

    def _write(self, block: bytes) -> None:
        written = 0
        try:
            while written < len(block):
                written += os.write(self._handle, block[written:])
        except OSError:
            # Half a frame would hide what is written once there is room again.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self.n_bytes)
            raise
        self.n_bytes += len(block)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no folder handles to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems refuse; the file itself is synced
    finally:
        os.close(handle)


def read_journal(path: Path) -> Journal:
    """Everything good in a journal, whatever cut it short; damage in the middle is skipped and counted.

    Raises:
        BadFileError: it is no journal, or its header is damaged.
        NewerVersionError: a newer Sightline wrote it.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < _PREAMBLE.size:
            raise BadFileError(f"{path} is too short to be a journal.", "It was cut before anything was recorded.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(data, size, path)


def _parse(data: mmap.mmap, size: int, path: Path) -> Journal:
    magic, _, version = _PREAMBLE.unpack(data[: _PREAMBLE.size])
    if magic != FILE_MAGIC:
        raise BadFileError(f"{path} is not a Sightline journal.")
    if version > FORMAT_VERSION:
        raise NewerVersionError(f"{path} is a journal of format {version}.", "Open it with a newer Sightline.")
    header: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    events: list[JournalEvent] = []
    parts: list[NDArray[np.void]] = []
    expected = missing = 0
    valid = prefix = _PREAMBLE.size
    for number, kind, payload, start, stop in _frames(data, size):
        missing += max(0, number - expected)
        expected = number + 1
        if start == prefix:
            prefix = stop
        valid = stop
        if kind == HEADER and header is None:
            header = json.loads(payload)
        elif kind == SAMPLES:
            parts.append(np.frombuffer(payload, SAMPLE_RECORD))
        elif kind == EVENT:
            (length,) = _JSON_LENGTH.unpack(payload[: _JSON_LENGTH.size])
            text = payload[_JSON_LENGTH.size : _JSON_LENGTH.size + length]
            found = json.loads(text)
            events.append(JournalEvent(found["kind"], found["values"], payload[_JSON_LENGTH.size + length :]))
        elif kind == END:
            end = json.loads(payload)
    if header is None:
        raise BadFileError(f"The header of {path} is damaged.", "Nothing in it can be read without the header.")
    samples = np.concatenate(parts) if parts else np.zeros(0, SAMPLE_RECORD)
    return Journal(header, samples, events, end, size, prefix if not missing else valid, missing)


def _frames(data: mmap.mmap, size: int) -> Iterator[tuple[int, int, bytes, int, int]]:
    at = _PREAMBLE.size
    while at + _FRAME.size <= size:
        magic, kind, _, length, number, crc = _FRAME.unpack(data[at : at + _FRAME.size])
        stop = at + _FRAME.size + length
        if magic == FRAME_MAGIC and length <= MAX_PAYLOAD and stop <= size:
            payload = data[at + _FRAME.size : stop]
            if zlib.crc32(payload, zlib.crc32(data[at : at + _FRAME.size - 4])) == crc:
                yield number, kind, payload, at, stop
                at = stop
                continue
        at = data.find(FRAME_MAGIC, at + 1)
        if at < 0:
            return
