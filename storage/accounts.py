"""Local accounts: argon2 hashes, and a lock after repeated failures."""

from __future__ import annotations

import time
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, select

from domain.errors import UserFacingError
from domain.study import Role
from storage import audit_log
from storage.catalog import Catalog, annotators
from storage.people_table import Annotator

MAX_FAILURES = 5
LOCK_S = 15 * 60.0
MIN_LENGTH = 8

# What a role may do; a later role may do all that an earlier one may.
MAY = {
    "annotate": (Role.ANNOTATOR, Role.REVIEWER, Role.ADMIN),
    "review": (Role.REVIEWER, Role.ADMIN),
    "see others": (Role.REVIEWER, Role.ADMIN),
    "train": (Role.ADMIN,),
    "import": (Role.ADMIN,),
    "export": (Role.ADMIN,),
    "settings": (Role.ADMIN,),
    "people": (Role.ADMIN,),
}


def may(role: Role, deed: str) -> bool:
    """Whether a role is allowed a deed of `MAY`."""
    return role in MAY[deed]


class Accounts:
    """Passwords of a study's people. `now_s` is the clock, for tests."""

    def __init__(self, catalog: Catalog, *, now_s: Callable[[], float] = time.time) -> None:
        self._catalog = catalog
        self._now_s = now_s
        self._hasher = PasswordHasher()

    def set_password(self, name: str, password: str, *, actor: str = "") -> None:
        """Give a person a password.

        Raises:
            UserFacingError: too short, or no such person.
        """
        if len(password) < MIN_LENGTH:
            raise UserFacingError(f"A password needs {MIN_LENGTH} characters.", "Choose a longer one.")
        with self._catalog.writing() as connection:
            self._change(connection, name, password_hash=self._hasher.hash(password), n_failures=0, locked_until=0.0)
            audit_log.append(connection, actor or name, "password set", name, {})

    def unlock(self, name: str, *, actor: str = "") -> None:
        """Let a person try again."""
        with self._catalog.writing() as connection:
            self._change(connection, name, n_failures=0, locked_until=0.0)
            audit_log.append(connection, actor, "account unlocked", name, {})

    def log_in(self, name: str, password: str) -> Annotator:
        """The person, where the password is right.

        Raises:
            UserFacingError: wrong name or password (not said which), locked, or no password set.
        """
        # Two commits: the failure must be counted although the log-in is refused.
        with self._catalog.writing() as connection:
            row = connection.execute(select(annotators).where(annotators.c.name == name)).mappings().one_or_none()
            problem = self._problem(connection, dict(row) if row else None, name, password)
        if problem is not None or row is None:
            raise problem or _refused()
        return Annotator(row["name"], Role(row["role"]), has_password=True)

    def _problem(
        self, connection: Connection, row: dict[str, object] | None, name: str, password: str
    ) -> UserFacingError | None:
        if row is None:
            self._hasher.hash(password)  # as long as for a known name, so that time tells nothing
            return _refused()
        if float(str(row["locked_until"])) > self._now_s():
            minutes = int((float(str(row["locked_until"])) - self._now_s()) // 60) + 1
            return UserFacingError(f"{name} is locked for {minutes} more minutes.", "Wait, or ask an admin to unlock.")
        stored = str(row["password_hash"])
        if not stored:
            return UserFacingError(f"{name} has no password yet.", "An admin sets one: sightline study password.")
        try:
            self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            n_failures = int(str(row["n_failures"])) + 1
            is_locked = n_failures >= MAX_FAILURES
            locked_until = self._now_s() + LOCK_S if is_locked else 0.0
            self._change(connection, name, n_failures=0 if is_locked else n_failures, locked_until=locked_until)
            audit_log.append(connection, name, "log-in refused", name, {"failures": n_failures, "locked": is_locked})
            return _refused()
        self._change(connection, name, n_failures=0, locked_until=0.0)
        if self._hasher.check_needs_rehash(stored):
            self._change(connection, name, password_hash=self._hasher.hash(password))
        audit_log.append(connection, name, "log-in", name, {})
        return None

    def _change(self, connection: Connection, name: str, **values: object) -> None:
        if connection.execute(annotators.update().where(annotators.c.name == name).values(**values)).rowcount == 0:
            raise UserFacingError(f"The study has nobody called {name!r}.", "Enter the person first.")


def _refused() -> UserFacingError:
    return UserFacingError("Name or password is wrong.", f"After {MAX_FAILURES} failures the account is locked.")
