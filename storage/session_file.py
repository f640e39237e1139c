"""The session file: one sitting as HDF5 that plain h5py reads in ten lines (docs/formats/session.md)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError, NewerVersionError, StorageFullError, UserFacingError
from domain.gaze import GazeSamples
from domain.markers import Marker
from domain.scene import display_as_json, display_from_json
from domain.session import (
    Gap,
    GapCause,
    Notification,
    OnlineFixation,
    SessionHeader,
    SessionRecord,
    TrackerInfo,
)

FORMAT = "sightline-session"
FORMAT_VERSION = 1
CHUNK_ROWS = 4800
MAX_ROWS = 200_000_000
"""Most rows that are believed (1200 Hz for 46 hours): a small file can claim any number."""

UNITS = {
    "seq": "running number of the host",
    "time_ns": "ns, host monotonic clock",
    "device_us": "us, clock of the tracker, verbatim",
    "system_us": "us, system clock of the tracker's software, verbatim",
    "gaze_norm": "0-1 of the display area, (0, 0) upper left; axes: sample, eye (left, right), (x, y)",
    "gaze_mm": "mm, user coordinate system; axes: sample, eye, (x, y, z)",
    "origin_mm": "mm, eye position in the user coordinate system; axes: sample, eye, (x, y, z)",
    "pupil_mm": "mm, diameter; axes: sample, eye",
    "openness_mm": "mm between the lids; axes: sample, eye",
    "gaze_valid": "1 = valid; axes: sample, eye",
    "origin_valid": "1 = valid; axes: sample, eye",
    "pupil_valid": "1 = valid; axes: sample, eye",
    "openness_valid": "1 = valid; axes: sample, eye",
    "segment": "rises by one at each clock jump or reconnection",
}
_FLOAT32 = ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm")

_MARKER = np.dtype(
    [
        ("time_ns", "<i8"),
        ("scheduled_ns", "<i8"),
        ("submitted_ns", "<i8"),
        ("presented_ns", "<i8"),
        ("frame", "<i8"),
    ]
)
_GAP = np.dtype([("start_ns", "<i8"), ("end_ns", "<i8"), ("n_missing", "<i8")])
_FIXATION = np.dtype(
    [
        ("number", "<i8"),
        ("time_ns", "<i8"),
        ("onset_ns", "<i8"),
        ("offset_ns", "<i8"),
        ("centre_norm", "<f8", (2,)),
    ]
)


def write_session(path: Path, record: SessionRecord) -> None:
    """Write a session to a path that does not exist yet; whoever publishes it renames it afterwards.

    Raises:
        FileExistsError: the path is taken; a session is never overwritten.
    """
    with h5py.File(path, "x") as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["simulated"] = record.header.is_simulated
        file.attrs["ending"] = record.ending
        file.attrs["header"] = json.dumps(header_as_json(record.header))
        file.attrs["gaze_sha256"] = samples_digest(record.samples)
        _write_gaze(file, record.samples)
        _write_markers(file, record.markers)
        _write_rows(
            file,
            "notifications",
            np.array([(n.time_ns,) for n in record.notifications], [("time_ns", "<i8")]),
            {
                "kind": [n.kind for n in record.notifications],
                "payload": _texts(n.payload for n in record.notifications),
            },
        )
        _write_rows(
            file,
            "online_fixations",
            np.array(
                [(f.number, f.time_ns, f.onset_ns, f.offset_ns, f.centre_norm) for f in record.online_fixations],
                _FIXATION,
            ),
            {"phase": [f.phase for f in record.online_fixations]},
        )
        _write_rows(
            file,
            "gaps",
            np.array([(g.start_ns, g.end_ns, g.n_missing) for g in record.gaps], _GAP),
            {"cause": [g.cause.value for g in record.gaps]},
        )
        sync = file.create_group("time_sync")
        for number, name in enumerate(("request_us", "device_us", "response_us")):
            sync.create_dataset(name, data=record.time_sync[:, number]).attrs["unit"] = "us"
        sync.create_dataset("residual_ms", data=record.time_sync_residual_ms).attrs["unit"] = "ms"
        for name in ("calibrations", "validations", "drift_checks"):
            _strings(file, name, _texts(getattr(record, name)))
        file.attrs["quality"] = json.dumps(dict(record.quality))


def publish_session(path: Path, record: SessionRecord) -> None:
    """Write a session beside its place, read it back, and only then give it its name.

    Raises:
        FileExistsError: the path is taken; a session is never overwritten.
        StorageFullError: the disk has no room.
        BadFileError: what was written does not read back the same.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists; a session is never overwritten")
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        write_session(part, record)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        _verify(part, record)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if shutil.disk_usage(path.parent).free < 2 * record.samples.to_records().nbytes:
            raise StorageFullError(f"There is no room for {path}.", "Free some disk space and repair again.") from error
        raise
    except UserFacingError:
        part.unlink(missing_ok=True)
        raise


def _verify(path: Path, record: SessionRecord) -> None:
    """Read a file back column by column (an hour of gaze is large) and compare it with what it should hold."""
    with h5py.File(path, "r") as file:
        digest = hashlib.sha256()
        for name in UNITS:
            digest.update(file["gaze"][name][()].tobytes())
        tables = ("markers", "notifications", "online_fixations", "gaps")
        counts = [len(getattr(record, name)) for name in tables]
        first = ("time_ns", "time_ns", "number", "start_ns")
        found = [len(file[table][column]) for table, column in zip(tables, first, strict=True)]
    if digest.hexdigest() != samples_digest(record.samples) or counts != found:
        raise BadFileError(f"{path} does not hold what was recorded.", "Is the disk in order? The journal is kept.")


def read_session(path: Path) -> SessionRecord:
    """A session from its file.

    Raises:
        BadFileError: missing, truncated, or no session file.
        NewerVersionError: a newer Sightline wrote it.
    """
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except FileNotFoundError:
        raise BadFileError(f"There is no session file {path}.") from None
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError) as error:
        raise BadFileError(
            f"{path} is not a readable session file: {error}.",
            "If a journal of the same name lies beside it, `sightline repair` makes it anew.",
        ) from error


def samples_digest(samples: GazeSamples) -> str:
    """SHA-256 over the columns of the samples, so that a file can be checked against what was recorded."""
    digest = hashlib.sha256()
    for name in UNITS:
        digest.update(np.ascontiguousarray(_stored(samples, name)).tobytes())
    return digest.hexdigest()


def header_as_json(header: SessionHeader) -> dict[str, Any]:
    """The header as plain values, the same in the journal and in the session file."""
    values = {field.name: getattr(header, field.name) for field in fields(header)}
    values["tracker"] = header.tracker.as_json()
    values["display"] = display_as_json(header.display)
    values["settings"] = dict(header.settings)
    return values


def header_from_json(values: Mapping[str, Any]) -> SessionHeader:
    """The header from what `header_as_json` gave; keys of the journal's own are left aside."""
    known = {field.name: values[field.name] for field in fields(SessionHeader) if field.name in values}
    known["tracker"] = TrackerInfo.from_json(known["tracker"])
    known["display"] = display_from_json(known["display"])
    return SessionHeader(**known)


def _stored(samples: GazeSamples, name: str) -> NDArray[Any]:
    values = getattr(samples, name)
    if name in _FLOAT32:
        return np.asarray(values, "<f4")
    return np.asarray(values, np.uint8 if name.endswith("_valid") else "<i8")


def _write_gaze(file: h5py.File, samples: GazeSamples) -> None:
    group = file.create_group("gaze")
    group.attrs["eyes"] = "left, right"
    for name, unit in UNITS.items():
        values = _stored(samples, name)
        chunks = (CHUNK_ROWS, *values.shape[1:])
        options = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
        column = group.create_dataset(name, data=values, maxshape=(None, *values.shape[1:]), chunks=chunks, **options)
        column.attrs["unit"] = unit


def _write_markers(file: h5py.File, markers: Sequence[Marker]) -> None:
    rows = [(m.time_ns, m.scheduled_ns, m.submitted_ns, m.presented_ns, m.frame) for m in markers]
    texts = {"kind": [m.kind for m in markers], "payload": _texts(m.payload for m in markers)}
    _write_rows(file, "markers", np.array(rows, _MARKER), texts)


def _write_rows(file: h5py.File, name: str, rows: NDArray[np.void], texts: Mapping[str, Sequence[str]]) -> None:
    group = file.create_group(name)
    for column in rows.dtype.names or ():
        dataset = group.create_dataset(column, data=rows[column])
        if column.endswith("_ns"):
            dataset.attrs["unit"] = "ns, host monotonic clock"
    for column, values in texts.items():
        _strings(group, column, values)


def _strings(group: h5py.Group, name: str, values: Iterable[str]) -> None:
    group.create_dataset(name, data=list(values), dtype=h5py.string_dtype())


def _texts(values: Iterable[Mapping[str, Any]]) -> list[str]:
    return [json.dumps(dict(value)) for value in values]


def _read(file: h5py.File, path: Path) -> SessionRecord:
    if file.attrs.get("format") != FORMAT:
        raise BadFileError(f"{path} is an HDF5 file, but no Sightline session.")
    if int(file.attrs["format_version"]) > FORMAT_VERSION:
        raise NewerVersionError(f"{path} was written by a newer Sightline.", "Update Sightline to open it.")
    n_rows = max(file["gaze"][name].shape[0] for name in UNITS)
    if n_rows > MAX_ROWS:
        raise BadFileError(f"{path} says it has {n_rows:.3g} samples, more than a sitting can have.")
    columns: dict[str, NDArray[Any]] = {}
    for name in UNITS:
        values = file["gaze"][name][()]
        if name.endswith("_valid"):
            values = values.astype(np.bool_)
        columns[name] = values.astype(np.float64) if name in _FLOAT32 else values
    samples = GazeSamples(**columns)
    if samples_digest(samples) != file.attrs["gaze_sha256"]:
        raise BadFileError(f"The gaze in {path} is not what was recorded: its hash differs.")
    sync = file["time_sync"]
    return SessionRecord(
        header=header_from_json(json.loads(file.attrs["header"])),
        samples=samples,
        markers=tuple(
            Marker(kind, json.loads(payload), int(row[1]), int(row[2]), int(row[3]), int(row[4]))
            for kind, payload, *row in _rows(file["markers"], ("kind", "payload"), _MARKER)
        ),
        notifications=tuple(
            Notification(int(time_ns), kind, json.loads(payload))
            for kind, payload, time_ns in _rows(
                file["notifications"], ("kind", "payload"), np.dtype([("time_ns", "<i8")])
            )
        ),
        online_fixations=tuple(
            OnlineFixation(int(number), phase, int(at), int(onset), int(offset), (float(xy[0]), float(xy[1])))
            for phase, number, at, onset, offset, xy in _rows(file["online_fixations"], ("phase",), _FIXATION)
        ),
        gaps=tuple(
            Gap(int(start), int(end), GapCause(cause), int(n))
            for cause, start, end, n in _rows(file["gaps"], ("cause",), _GAP)
        ),
        time_sync=np.column_stack([sync[name][()] for name in ("request_us", "device_us", "response_us")]),
        time_sync_residual_ms=sync["residual_ms"][()],
        calibrations=_objects(file, "calibrations"),
        validations=_objects(file, "validations"),
        drift_checks=_objects(file, "drift_checks"),
        quality=json.loads(file.attrs["quality"]),
        ending=str(file.attrs["ending"]),
    )


def _rows(group: h5py.Group, texts: Sequence[str], dtype: np.dtype[np.void]) -> Iterable[tuple[Any, ...]]:
    columns = [list(group[name].asstr()[()]) for name in texts]
    columns += [list(group[name][()]) for name in dtype.names or ()]
    return zip(*columns, strict=True)


def _objects(file: h5py.File, name: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(text) for text in file[name].asstr()[()])
