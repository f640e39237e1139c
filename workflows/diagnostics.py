"""One zip with what a bug report needs and nothing personal: what was found on the machine, versions, recent events."""

from __future__ import annotations

import importlib.metadata
import json
import zipfile
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path

from domain.errors import UserFacingError
from domain.version import VERSION
from storage.atomic_write import write_atomically
from workflows.data_folder import data_folder
from workflows.doctor import examine
from workflows.event_log import event_log_file
from workflows.scrub import scrub
from workflows.user_settings import UserSettings

MAX_LOG_CHARACTERS = 400_000
# Where people, folders and machines may be named; everything else of the settings is a choice of how Sightline looks.
PRIVATE_SETTINGS = frozenset({"recents", "annotator", "path", "screens_mm", "annotate_screen"})

_ABOUT = """Sightline {version}: diagnostics of {at}

doctor.json     what `sightline doctor` found on this machine
packages.txt    versions of the installed packages
settings.json   settings without recent studies, names and screens
events.log      recent events: sentences without the values in them, and the lines of code of failures

No image, gaze, mask, file name, folder name, user name or machine name is in here. Nothing was sent anywhere: this file
is yours to look through and to hand on, or not.
"""


def default_place() -> Path:
    """A new file in the user's data folder."""
    return data_folder() / "reports" / f"sightline-diagnostics-{datetime.now():%Y%m%d-%H%M%S}.zip"


def write_diagnostics(path: Path | None = None) -> Path:
    """Write the zip and give its path.

    Raises:
        UserFacingError: it cannot be written there.
    """
    place = path if path is not None else default_place()
    if place.is_dir():
        raise UserFacingError(f"{place} is a folder.", "Give the name of a new .zip file.")
    parts = {
        "ABOUT.txt": _ABOUT.format(version=VERSION, at=datetime.now().isoformat(timespec="minutes")),
        "doctor.json": _doctor(),
        "packages.txt": "\n".join(_packages()) + "\n",
        "settings.json": json.dumps(_settings(), indent=1),
        "events.log": _events(),
    }
    with write_atomically(place) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return place


def _doctor() -> str:
    findings = [{key: scrub(str(value)) for key, value in asdict(finding).items()} for finding in examine()]
    return json.dumps(findings, indent=1)


def _packages() -> list[str]:
    found = {(str(dist.metadata["Name"]), dist.version) for dist in importlib.metadata.distributions()}
    return sorted((f"{name} {version}" for name, version in found), key=str.lower)


def _settings() -> dict[str, object]:
    settings = UserSettings.load()
    return {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in PRIVATE_SETTINGS}


def _events() -> str:
    file = event_log_file()
    try:
        return file.read_text(encoding="utf-8", errors="replace")[-MAX_LOG_CHARACTERS:]
    except OSError:
        return "no events were kept\n"
