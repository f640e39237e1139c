"""Who has a study open: one small file per window in the study folder, written again and again while it is open.

The files work where locks do not, on folders that several machines share. Ages are told from the times that the file
system itself gives, so that clocks of the machines need not agree.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import sys
import threading
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.audit_log import now_utc

FOLDER = ".open"
STALE_S = 60.0
"""A file that was not written for so long belongs to a program that is gone; they are written every few seconds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Presence:
    """One window that has the study open."""

    host: str
    process_id: int
    person: str
    since: str


class StudyPresence:
    """Says that a study is open here, and who else has it open; from any thread. Nothing where nothing can be written.

    host, process_id: of this process, unless a test is somebody else.
    """

    def __init__(self, study_folder: Path, person: str, *, host: str = "", process_id: int = 0) -> None:
        self._own = Presence(host or socket.gethostname(), process_id or os.getpid(), person, now_utc())
        self._folder = study_folder / FOLDER
        self._path = self._folder / f"{uuid.uuid4().hex}.json"
        self._lock = threading.Lock()
        self._has_left = False

    def beat(self) -> list[Presence]:
        """Say that it is still open here; all others that have it open. Files of programs that are gone are removed."""
        with self._lock:
            if self._has_left:
                return []
            try:
                self._folder.mkdir(exist_ok=True)
                self._path.write_text(json.dumps(asdict(self._own)), "utf-8")
                now_s = self._path.stat().st_mtime
                return [one for path in sorted(self._folder.glob("*.json")) if (one := self._other(path, now_s))]
            except OSError as problem:
                _log.info("who else has the study open cannot be told: %s", problem)
                return []

    def leave(self) -> None:
        """It is not open here any more."""
        with self._lock:
            self._has_left = True
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
                self._folder.rmdir()  # refused while others are there

    def _other(self, path: Path, now_s: float) -> Presence | None:
        if path == self._path:
            return None
        try:
            age_s = now_s - path.stat().st_mtime
            content = json.loads(path.read_text("utf-8"))
            found = Presence(
                str(content["host"]), int(content["process_id"]), str(content["person"]), str(content["since"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # being written, or removed, at this moment
        if age_s <= STALE_S and not (found.host == self._own.host and _is_gone(found.process_id)):
            return found
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def _is_gone(process_id: int) -> bool:
    """Whether a process of this machine has ended; on Windows only the age of its file tells."""
    if sys.platform == "win32" or process_id <= 0:
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
