"""Accepted calibrations on disk, one JSON file each (docs/formats/calibration.md)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import asdict, fields, replace
from pathlib import Path

from domain.calibration import CalibrationRecord, Eyes, Surroundings, Validation, plain, typed_from_json
from domain.errors import BadFileError, NewerVersionError
from storage.atomic_write import write_text_atomically

FORMAT = "sightline calibration"
VERSION = 1
SUFFIX = ".calibration.json"


def write_calibration(path: Path, record: CalibrationRecord) -> None:
    """Write one calibration; the tracker's own data lies in it with its SHA-256."""
    values = {field.name: getattr(record, field.name) for field in fields(record) if field.name != "blob"}
    values["surroundings"] = asdict(record.surroundings)
    values["validation"] = record.validation.as_json() if record.validation else None
    document = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": hashlib.sha256(record.blob).hexdigest(),
        "blob": base64.b64encode(record.blob).decode(),
        "record": plain(values),
    }
    write_text_atomically(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def read_calibration(path: Path) -> CalibrationRecord:
    """Read one calibration back.

    Raises:
        BadFileError: it is missing, not one of ours, damaged, or its data does not fit its hash.
        NewerVersionError: a newer Sightline wrote it.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadFileError(f"{path} cannot be read: {problem.strerror or problem}.") from problem
    except ValueError as problem:
        raise BadFileError(f"{path} is not a calibration: {problem}.", "Calibrate again.") from problem
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadFileError(f"{path} is not a calibration of Sightline.", "Calibrate again.")
    try:
        if int(document.get("version", 0)) > VERSION:
            raise NewerVersionError(
                f"{path} was written by a newer Sightline.", "Update Sightline, or calibrate again."
            )
        blob = base64.b64decode(document["blob"], validate=True)
        if hashlib.sha256(blob).hexdigest() != document["sha256"]:
            raise BadFileError(f"{path} is damaged: its data does not fit its hash.", "Calibrate again.")
        return _record(dict(document["record"]), blob)
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as problem:
        raise BadFileError(f"{path} is damaged: {problem}.", "Calibrate again.") from problem


def _record(values: dict[str, object], blob: bytes) -> CalibrationRecord:
    surroundings, validation, points = values.pop("surroundings"), values.pop("validation"), values.pop("points")
    if not isinstance(surroundings, dict) or not isinstance(points, list):
        raise ValueError("surroundings and points are missing")
    record = typed_from_json(
        CalibrationRecord,
        {
            **values,
            "blob": blob,
            "surroundings": typed_from_json(Surroundings, surroundings),
            "eyes": Eyes(values["eyes"]),
            "validation": Validation.from_json(validation) if isinstance(validation, dict) else None,
        }
        | {"points": []},
    )
    return replace(record, points=tuple((float(x), float(y)) for x, y in points))


class CalibrationStore:
    """All calibrations of this machine's user, in one folder; nothing is overwritten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, record: CalibrationRecord) -> Path:
        """Store a calibration under a name of its own."""
        stamp = re.sub(r"[^0-9T]", "", record.made_at)[:15] or "undated"
        digest = hashlib.sha256(record.blob + record.surroundings.annotator.encode()).hexdigest()[:8]
        path = self.folder / f"{stamp}-{digest}{SUFFIX}"
        number = 2
        while path.exists():
            path = self.folder / f"{stamp}-{digest}-{number}{SUFFIX}"
            number += 1
        write_calibration(path, record)
        return path

    def paths(self) -> list[Path]:
        """All files, newest first."""
        return sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.name, reverse=True)

    def newest(self, annotator: str, tracker_serial: str) -> CalibrationRecord | None:
        """The newest readable calibration of this annotator on this tracker; None if there is none."""
        for path in self.paths():
            try:
                record = read_calibration(path)
            except BadFileError:
                continue
            if record.surroundings.annotator == annotator and record.surroundings.tracker_serial == tracker_serial:
                return record
        return None
