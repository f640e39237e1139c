"""A small log for reports: what happened, without the values it happened to.

Of each record only the sentence with its gaps is kept ("%s could not be recovered: %s"), never what filled the gaps,
so no path, image or person gets into it. Of an exception the kinds, the lines of code and its scrubbed text are kept.
"""

from __future__ import annotations

import logging
import traceback
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from workflows.data_folder import data_folder
from workflows.scrub import scrub

FILE_NAME = "events.log"
MAX_BYTES = 512_000
OURS = ("app", "workflows", "acquisition", "calibration", "processing", "training", "storage", "domain", "qt")
_CODE_ROOT = Path(__file__).resolve().parents[1]


class EventLog(logging.Handler):
    """Appends to a file that begins anew, with the old one kept beside it, when it has grown."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of ours."""
        if record.name.split(".")[0] not in OURS:
            return
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="seconds")
        lines = [f"{at} {record.levelname} {record.name}: {scrub(str(record.msg))}"]
        if record.exc_info and record.exc_info[1] is not None:
            lines += [f"    {line}" for line in words_of_failure(record.exc_info[1])]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size > MAX_BYTES:
                self.path.replace(self.path.with_suffix(".old.log"))
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        except OSError:
            self.handleError(record)


def words_of_failure(error: BaseException) -> list[str]:
    """The kinds of an error and of its causes, their scrubbed texts, and the lines of code that led there."""
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        lines.append(f"{type(seen).__name__}: {scrub(str(seen))}")
        lines += _frames(seen.__traceback__)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
        if seen is not None:
            lines.append("which came from")
    return lines


def _frames(trace: TracebackType | None) -> list[str]:
    return [f"  {_code_name(frame.filename)}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(trace)]


def _code_name(file: str) -> str:
    """Where code lies, without the folders above it."""
    path = Path(file)
    if path.is_relative_to(_CODE_ROOT) and ".venv" not in path.parts:
        return path.relative_to(_CODE_ROOT).as_posix()
    parts = path.parts
    for root in ("site-packages", "lib"):
        if root in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(root) :])
    return path.name


def event_log_file() -> Path:
    """Where the events of this user's Sightline are."""
    return data_folder() / "logs" / FILE_NAME


def keep_events() -> None:
    """Write events from now on; a second call changes nothing."""
    root = logging.getLogger()
    if not any(isinstance(handler, EventLog) for handler in root.handlers):
        root.addHandler(EventLog(event_log_file()))
