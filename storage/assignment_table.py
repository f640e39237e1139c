"""Who reads which image: handed out one at a time, never the same read to two people."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from domain.study import TrialStatus
from storage.audit_log import now_utc
from storage.catalog import assignments
from storage.damaged_row import damage_in_words

OPEN_STATUSES = (TrialStatus.NEW, TrialStatus.IN_PROGRESS, TrialStatus.RETURNED)


def claim_next(
    connection: Connection, order: Sequence[str], annotator: str, *, target: str, reads_per_image: int
) -> str | None:
    """The first image in the annotator's order that is theirs and unfinished, or that still needs a reader.

    Must run in a writing transaction, which one process at a time can have.
    """
    mine = statuses(connection, annotator, target)
    counts = connection.execute(
        select(assignments.c.image_id, func.count())
        .where(assignments.c.target == target)
        .group_by(assignments.c.image_id)
    )
    reads = {row[0]: int(row[1]) for row in counts}
    for image_id in order:
        if image_id in mine:
            if mine[image_id] in OPEN_STATUSES:
                return image_id
        elif reads.get(image_id, 0) < reads_per_image:
            add(connection, image_id, annotator, target=target, status=TrialStatus.NEW)
            return image_id
    return None


def add(connection: Connection, image_id: str, annotator: str, *, target: str, status: TrialStatus) -> None:
    """Give an image to an annotator as one more read."""
    taken = connection.scalar(
        select(func.max(assignments.c.read_number)).where(
            assignments.c.image_id == image_id, assignments.c.target == target
        )
    )
    connection.execute(
        assignments.insert().values(
            image_id=image_id,
            target=target,
            read_number=(taken or 0) + 1,
            annotator=annotator,
            status=status.value,
            claimed_at=now_utc(),
        )
    )


def set_status(connection: Connection, image_id: str, annotator: str, *, target: str, status: TrialStatus) -> None:
    """Note where the annotator stands with the image; hands it out first where it was not."""
    changed = connection.execute(
        assignments.update()
        .where(
            assignments.c.image_id == image_id,
            assignments.c.target == target,
            assignments.c.annotator == annotator,
        )
        .values(status=status.value)
    )
    if changed.rowcount == 0:
        add(connection, image_id, annotator, target=target, status=status)


def statuses(connection: Connection, annotator: str, target: str) -> dict[str, TrialStatus]:
    """Status of each image that the annotator was given."""
    rows = connection.execute(
        select(assignments.c.image_id, assignments.c.status).where(
            assignments.c.annotator == annotator, assignments.c.target == target
        )
    )
    with damage_in_words("The worklist"):
        return {row[0]: TrialStatus(row[1]) for row in rows}
