"""What reviewers decided on mask versions; decisions are added, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from storage.audit_log import now_utc
from storage.catalog import reviews

Decision = Literal["accepted", "returned", "flagged", "reopened", "noted"]
Difficulty = Literal["", "easy", "medium", "hard"]


@dataclass(frozen=True)
class Review:
    """One decision on one version of one annotator's mask."""

    image_id: str
    target: str
    annotator: str
    version: int
    reviewer: str
    decision: str
    reason: str = ""
    difficulty: str = ""
    comment: str = ""
    decided_at: str = ""
    number: int = 0


def insert(connection: Connection, review: Review) -> None:
    """Add a decision."""
    values = {**review.__dict__, "decided_at": now_utc()}
    del values["number"]
    connection.execute(reviews.insert().values(**values))


def find(connection: Connection, *, image_id: str = "", target: str = "", annotator: str = "") -> list[Review]:
    """Decisions that fit all that is given, oldest first."""
    query = select(reviews).order_by(reviews.c.number)
    for column, value in {"image_id": image_id, "target": target, "annotator": annotator}.items():
        if value:
            query = query.where(reviews.c[column] == value)
    return [Review(**row) for row in connection.execute(query).mappings()]
