"""Prepares a recording for the replay tracker, whose host does not read HDF5."""

from __future__ import annotations

import atexit
import contextlib
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from acquisition.tracker import TrackerSettings
from domain.display import Display
from storage.session_file import read_session

PREFIX = "sightline-replay-"
KEPT_S = 24 * 3600.0


def sweep() -> None:
    """Delete what programs that were killed have left in the temporary folder."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*.npy"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > KEPT_S:
                left.unlink()


def replay_settings(path: Path, *, speed: float = 1.0, display: Display | None = None) -> TrackerSettings:
    """Settings that replay a session file, a journal or a `tobii_research` dump.

    A session is replayed on the display it was recorded on.

    Raises:
        BadFileError: the session cannot be read.
    """
    settings = TrackerSettings(driver="replay", speed=speed)
    if path.suffix == ".h5":
        session = read_session(path)
        sweep()
        with tempfile.NamedTemporaryFile(prefix=PREFIX, suffix=".npy", delete=False) as file:
            np.save(file, session.samples.to_records())
        # Not sooner: a host that has to be started again reads it again.
        atexit.register(Path(file.name).unlink, missing_ok=True)
        path, display = Path(file.name), display or session.header.display
    return replace(settings, options={"path": str(path.resolve())}, display=display or settings.display)
