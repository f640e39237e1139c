"""Versions of masks in the catalog; a version, once written, is never replaced."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from domain.study import TrialStatus
from storage.catalog import assignments, masks, reviews

CONSENSUS = "consensus"
NOT_PEOPLE = frozenset({CONSENSUS, "model"})
"""Authors of masks who are nobody's read: they are given no images."""
PROGRAMS = NOT_PEOPLE | {"simulated", "imported"}
"""Names under which programs put data into a study: nobody can be them, sign in as them, or ask them."""

WITHOUT_ANSWER = (TrialStatus.NEW, TrialStatus.IN_PROGRESS, TrialStatus.SKIPPED)
"""Where an annotator stands who has no answer for an image."""


@dataclass(frozen=True)
class MaskVersion:
    """One stored mask. `path` is relative to the study folder, `author` whoever made this version."""

    image_id: str
    target: str
    annotator: str
    version: int
    path: str
    sha256: str
    origin: str
    parent: int | None
    author: str
    area_px: int
    saved_at: str


def versions(connection: Connection, *, image_id: str = "", target: str = "", annotator: str = "") -> list[MaskVersion]:
    """Mask versions that fit all that is given, oldest first."""
    query = select(masks).order_by(masks.c.image_id, masks.c.target, masks.c.annotator, masks.c.version)
    for column, value in {"image_id": image_id, "target": target, "annotator": annotator}.items():
        if value:
            query = query.where(masks.c[column] == value)
    return [MaskVersion(**row) for row in connection.execute(query).mappings()]


def standing(connection: Connection, *, image_id: str = "", target: str = "") -> list[MaskVersion]:
    """The versions that count, oldest first: those of annotators who have an answer for the image now.

    An answer that was taken back, or became a skip or another look, leaves its versions behind; they stay on the disk
    and count nowhere. Imported masks and those of annotators without a place in the list count as they are.
    """
    query = select(assignments.c.image_id, assignments.c.target, assignments.c.annotator).where(
        assignments.c.status.in_([status.value for status in WITHOUT_ANSWER])
    )
    open_reads = {tuple(row) for row in connection.execute(query)}
    found = versions(connection, image_id=image_id, target=target)
    imported = {(v.image_id, v.target, v.annotator) for v in found if v.origin in ("import", "model", CONSENSUS)}
    gone = open_reads - imported
    return [v for v in found if (v.image_id, v.target, v.annotator) not in gone]


def next_version(connection: Connection, image_id: str, target: str, annotator: str) -> int:
    """The number that the next version gets, from 1."""
    newest = connection.scalar(
        select(func.max(masks.c.version)).where(
            masks.c.image_id == image_id, masks.c.target == target, masks.c.annotator == annotator
        )
    )
    return (newest or 0) + 1


def insert(connection: Connection, version: MaskVersion) -> None:
    """Enter a new version."""
    connection.execute(masks.insert().values(**version.__dict__))


def accepted(connection: Connection, image_id: str, target: str) -> MaskVersion | None:
    """The version that a reviewer accepted last and did not take back."""
    decisions = connection.execute(
        select(reviews).where(reviews.c.image_id == image_id, reviews.c.target == target).order_by(reviews.c.number)
    ).mappings()
    standing: tuple[str, int] | None = None
    for row in decisions:
        decided = (row["annotator"], row["version"])
        if row["decision"] == "accepted":
            standing = decided
        elif standing == decided and row["decision"] in ("returned", "reopened"):
            standing = None
    if standing is None:
        return None
    found = versions(connection, image_id=image_id, target=target, annotator=standing[0])
    return next((v for v in found if v.version == standing[1]), None)
