"""Prepares a recording for the replay tracker, whose host does not read HDF5."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from acquisition.tracker import TrackerSettings
from domain.display import Display
from storage.session_file import read_session


def replay_settings(path: Path, *, speed: float = 1.0, display: Display | None = None) -> TrackerSettings:
    """Settings that replay a session file, a journal or a `tobii_research` dump.

    A session is replayed on the display it was recorded on.

    Raises:
        BadFileError: the session cannot be read.
    """
    settings = TrackerSettings(driver="replay", speed=speed)
    if path.suffix == ".h5":
        session = read_session(path)
        with tempfile.NamedTemporaryFile(prefix="sightline-replay-", suffix=".npy", delete=False) as file:
            np.save(file, session.samples.to_records())
        path, display = Path(file.name), display or session.header.display
    return replace(settings, options={"path": str(path.resolve())}, display=display or settings.display)
