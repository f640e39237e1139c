"""The people of a study: roles, and passwords as argon2 hashes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from domain.errors import UserFacingError
from domain.study import Role
from storage.catalog import annotators
from storage.damaged_row import damage_in_words


@dataclass(frozen=True)
class Annotator:
    """One person of a study, under a pseudonym."""

    name: str
    role: Role
    has_password: bool = False


def put(connection: Connection, name: str, role: Role) -> None:
    """Enter a person, or change the role of one who is there.

    Raises:
        UserFacingError: an empty or too long name.
    """
    if not name.strip() or len(name) > 80 or any(ord(c) < 32 for c in name):
        raise UserFacingError(f"{name[:80]!r} cannot be a name.", "Use 1 to 80 characters, best a pseudonym.")
    if name == "consensus":
        raise UserFacingError("Masks made from those of several people are called consensus.", "Use another name.")
    changed = connection.execute(annotators.update().where(annotators.c.name == name).values(role=role.value))
    if changed.rowcount == 0:
        connection.execute(annotators.insert().values(name=name, role=role.value))


def everyone(connection: Connection) -> list[Annotator]:
    """All people by name."""
    rows = connection.execute(select(annotators).order_by(annotators.c.name)).mappings()
    with damage_in_words("The list of people"):
        return [Annotator(row["name"], Role(row["role"]), bool(row["password_hash"])) for row in rows]
