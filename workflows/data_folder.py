"""Where Sightline keeps what belongs to this user and not to a study."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_folder() -> Path:
    """The user's data folder (SIGHTLINE_HOME overrides it); made when it is not there."""
    home = os.environ.get("SIGHTLINE_HOME")
    folder = Path(home) if home else Path(platformdirs.user_data_dir("Sightline", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settings_file() -> Path:
    """The JSON file with this user's settings."""
    return data_folder() / "settings.json"
