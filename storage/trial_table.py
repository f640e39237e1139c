"""Trials in the catalog, with their fixations as one block of numbers."""

from __future__ import annotations

import json

import numpy as np
from sqlalchemy import Connection, RowMapping, select

from domain.errors import BadFileError
from domain.fixations import ImageFixations
from domain.study import Outcome, TrialStatus
from domain.trial import TrialQuality, TrialRecord
from storage.audit_log import now_utc
from storage.catalog import trials
from storage.damaged_row import damage_in_words

_COLUMNS = 5


def pack_fixations(fixations: ImageFixations) -> bytes:
    """Rows of x, y (0-1 of the image), duration, start (ms), pupil as little-endian float64."""
    table = np.column_stack([fixations.xy_norm, fixations.duration_ms, fixations.start_ms, fixations.pupil])
    return table.astype("<f8").tobytes()


def unpack_fixations(block: bytes) -> ImageFixations:
    """The fixations that `pack_fixations` stored.

    Raises:
        BadFileError: the block has a length that no table of fixations has.
    """
    if len(block) % (8 * _COLUMNS):
        raise BadFileError("The fixations of a trial are damaged in the catalog.", "Put back a backup of the catalog.")
    table = np.frombuffer(block, "<f8").reshape(-1, _COLUMNS).astype(np.float64)
    return ImageFixations(
        table[:, :2].copy(), duration_ms=table[:, 2].copy(), start_ms=table[:, 3].copy(), pupil=table[:, 4].copy()
    )


def insert(connection: Connection, record: TrialRecord) -> None:
    """Add a trial, or replace the one of the same id."""
    values = {
        "trial_id": record.trial_id,
        "image_id": record.image_id,
        "annotator": record.annotator,
        "target": record.target,
        "outcome": record.outcome.value,
        "status": record.status.value,
        "session_file": record.session_file,
        "started_ns": str(record.started_ns),
        "ended_ns": str(record.ended_ns),
        "fixations": pack_fixations(record.fixations),
        "quality": json.dumps(record.quality.as_json()),
        "instruction_version": record.instruction_version,
        "view_log": record.view_log,
        "note": record.note,
        "is_simulated": record.is_simulated,
        "saved_at": now_utc(),
    }
    changed = connection.execute(trials.update().where(trials.c.trial_id == record.trial_id).values(**values))
    if changed.rowcount == 0:
        connection.execute(trials.insert().values(**values))


def find(
    connection: Connection,
    *,
    trial_id: str = "",
    image_id: str = "",
    annotator: str = "",
    target: str = "",
) -> list[TrialRecord]:
    """Trials that fit all that is given, oldest first."""
    query = select(trials).order_by(trials.c.number)
    wanted = {"trial_id": trial_id, "image_id": image_id, "annotator": annotator, "target": target}
    for column, value in wanted.items():
        if value:
            query = query.where(trials.c[column] == value)
    return [_readable(row) for row in connection.execute(query).mappings()]


def _readable(row: RowMapping) -> TrialRecord:
    with damage_in_words(f"Trial {row['trial_id']!r}"):
        return _record(row)


def _record(row: RowMapping) -> TrialRecord:
    return TrialRecord(
        trial_id=row["trial_id"],
        image_id=row["image_id"],
        annotator=row["annotator"],
        target=row["target"],
        outcome=Outcome(row["outcome"]),
        status=TrialStatus(row["status"]),
        session_file=row["session_file"],
        started_ns=int(row["started_ns"]),
        ended_ns=int(row["ended_ns"]),
        fixations=unpack_fixations(row["fixations"]),
        quality=TrialQuality.from_json(json.loads(row["quality"])),
        instruction_version=row["instruction_version"],
        view_log=row["view_log"],
        note=row["note"],
        is_simulated=bool(row["is_simulated"]),
    )
