"""study.json: what an admin decided for a study, as text that opens without Sightline."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import BadFileError, NewerVersionError
from domain.labels import LabelParameters
from domain.study import Protocol, StudySettings, Target
from domain.version import VERSION
from storage.atomic_write import write_text_atomically

FILE_NAME = "study.json"
FORMAT = "sightline study"
FORMAT_VERSION = 2
"""1: targets without a description, read as having an empty one. 2: with it."""


@dataclass(frozen=True)
class StudyFile:
    """The content of study.json: settings, a random id of the study, and where the catalog is ("" = beside)."""

    settings: StudySettings
    study_id: str
    catalog_url: str = ""
    other_keys: dict[str, Any] = field(default_factory=dict)  # keys of later minor versions, kept when saving


def write_study_file(folder: Path, content: StudyFile) -> None:
    """Replace study.json."""
    values = {
        **content.other_keys,
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "written_by": f"Sightline {VERSION}",
        "study_id": content.study_id,
        "catalog_url": content.catalog_url,
        "settings": settings_as_json(content.settings),
    }
    write_text_atomically(folder / FILE_NAME, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def read_study_file(folder: Path) -> StudyFile:
    """The content of a study's study.json.

    Raises:
        BadFileError: the folder is no study, or the file is damaged.
        NewerVersionError: a newer Sightline wrote it.
    """
    path = folder / FILE_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as problem:
        if not folder.exists():
            raise BadFileError(f"There is no folder {folder}.", "Check the path.") from problem
        if not folder.is_dir():
            raise BadFileError(f"{folder} is a file, not a study.", "Choose a study's folder.") from problem
        raise BadFileError(
            f"{folder} is not a study: it holds no {FILE_NAME}.", "Choose a study's folder."
        ) from problem
    except (OSError, ValueError) as problem:
        raise BadFileError(f"{path} cannot be read: {problem}.", "Put the file back from a backup.") from problem
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise BadFileError(f"{path} is not a study of Sightline.", "Choose a study's folder.")
    version = values.get("format_version")
    if not isinstance(version, int):
        raise BadFileError(f"{path} has no format version.", "Put the file back from a backup.")
    if version > FORMAT_VERSION:
        raise NewerVersionError(
            f"{path} has version {version}; this Sightline knows versions up to {FORMAT_VERSION}.",
            "Open the study with a newer Sightline.",
        )
    try:
        ours = {"format", "format_version", "written_by", "study_id", "catalog_url", "settings"}
        return StudyFile(
            settings=settings_from_json(values["settings"]),
            study_id=str(values["study_id"]),
            catalog_url=str(values.get("catalog_url", "")),
            other_keys={key: value for key, value in values.items() if key not in ours},
        )
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise BadFileError(f"{path} is damaged: {problem}.", "Put the file back from a backup.") from problem


def settings_as_json(settings: StudySettings) -> dict[str, Any]:
    """Plain values of the settings."""
    return {
        "name": settings.name,
        "targets": [asdict(target) for target in settings.targets],
        "labels": settings.labels.as_json(),
        "protocol": asdict(settings.protocol),
        "is_simulated": settings.is_simulated,
    }


def settings_from_json(values: dict[str, Any]) -> StudySettings:
    """The settings from what `settings_as_json` gave; a key that is missing takes its default."""
    return StudySettings(
        name=str(values["name"]),
        targets=tuple(Target(**target) for target in values["targets"]),
        labels=LabelParameters.from_json(values["labels"]),
        protocol=Protocol(**values["protocol"]),
        is_simulated=bool(values.get("is_simulated", False)),
    )
