"""The append-only, hash-chained record of every change of a study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import Connection, func, select

from storage.catalog import audit

GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditEntry:
    """One change: when, who, what, on what."""

    number: int
    at: str
    actor: str
    action: str
    subject: str
    details: str
    previous: str
    digest: str

    def expected_digest(self) -> str:
        """The hash that the entry's content and its predecessor's hash give."""
        parts = [self.number, self.at, self.actor, self.action, self.subject, self.details, self.previous]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


def now_utc() -> str:
    """The time as ISO 8601 text in UTC, microseconds included."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def append(connection: Connection, actor: str, action: str, subject: str, details: Mapping[str, object]) -> AuditEntry:
    """Add an entry within the transaction that makes the change it tells of."""
    last = connection.execute(
        select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)
    ).one_or_none()
    number, previous = (last.number + 1, last.digest) if last else (1, GENESIS)
    written = json.dumps(dict(details), sort_keys=True, ensure_ascii=True)
    unsealed = AuditEntry(number, now_utc(), actor, action, subject, written, previous, "")
    entry = AuditEntry(**{**unsealed.__dict__, "digest": unsealed.expected_digest()})
    connection.execute(audit.insert().values(**entry.__dict__))
    return entry


def last_number(connection: Connection) -> int:
    """The number of the newest entry; 0 where there is none."""
    return int(connection.scalar(select(func.max(audit.c.number))) or 0)


def entries(connection: Connection) -> list[AuditEntry]:
    """All entries, oldest first."""
    rows = connection.execute(select(audit).order_by(audit.c.number)).mappings()
    return [AuditEntry(**row) for row in rows]


def newest(connection: Connection, action: str, subject: str) -> AuditEntry | None:
    """The last entry of that action on that subject."""
    query = select(audit).where(audit.c.action == action, audit.c.subject == subject)
    row = connection.execute(query.order_by(audit.c.number.desc()).limit(1)).mappings().one_or_none()
    return AuditEntry(**row) if row is not None else None


def first_break(chain: list[AuditEntry]) -> str:
    """What is wrong with the chain, as a sentence; empty where every entry follows from the one before it."""
    previous = GENESIS
    for place, entry in enumerate(chain, start=1):
        if entry.number != place:
            return f"Entry {place} is missing; entry {entry.number} follows."
        if entry.previous != previous:
            return f"Entry {entry.number} does not follow from the entry before it."
        if entry.digest != entry.expected_digest():
            return (
                f"Entry {entry.number} ({entry.action} by {entry.actor}, {entry.at}) was changed after it was written."
            )
        previous = entry.digest
    return ""
