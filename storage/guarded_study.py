"""Who works in an open study, and what that person may do there.

A study in which nobody has a password is open to everybody at its machine. From the first password on, who wants to
change something signs in, and may do what the role allows.
"""

from __future__ import annotations

from domain.errors import NotAllowedError, UserFacingError
from domain.study import Role
from storage import people_table
from storage.accounts import MAY, Accounts, may
from storage.open_study import OpenStudy
from storage.people_table import Annotator

# What a deed of `MAY` is called in a sentence: "anna is annotator and may not ...".
WORDS = {
    "annotate": "annotate",
    "review": "review masks",
    "see others": "see the work of others",
    "train": "train or use models",
    "import": "change the study's images",
    "export": "export datasets",
    "settings": "change the study's settings",
    "people": "enter people or set their roles",
}


class GuardedStudy(OpenStudy):
    """The part of a study that knows who is signed in. Every method that changes the study asks `require` first."""

    _person: Annotator | None = None

    @property
    def is_guarded(self) -> bool:
        """Whether somebody has a password, so that people sign in."""
        return any(person.has_password for person in self._everyone())

    @property
    def person(self) -> Annotator | None:
        """Who is signed in, with the role of now; None where nobody is, or where that person has gone."""
        if self._person is None:
            return None
        return next((person for person in self._everyone() if person.name == self._person.name), None)

    def sign_in(self, name: str, password: str) -> Annotator:
        """Work in this study as that person from now on.

        Raises:
            UserFacingError: wrong name or password (not said which), locked, or no password set.
        """
        self._person = Accounts(self.catalog).log_in(name, password)
        self.actor = name
        return self._person

    def sign_out(self) -> None:
        """Nobody works in this study any more."""
        self._person = None

    def may(self, deed: str) -> bool:
        """Whether whoever works here may do this."""
        if not self.is_guarded:
            return True
        person = self.person
        return person is not None and may(person.role, deed)

    def require(self, deed: str, *, own: str = "") -> None:
        """Refuse what whoever works here may not do; `own` is the person under whose name it is stored.

        Raises:
            NotAllowedError: nobody is signed in, the role does not allow it, or it is stored under another name.
        """
        if not self.is_guarded:
            return
        person = self.person
        if person is None:
            raise NotAllowedError(
                "Nobody is signed in to this study.", "Sign in first; on the command line with --as NAME."
            )
        if not may(person.role, deed):
            roles = " or ".join(role.value for role in MAY[deed])
            raise NotAllowedError(
                f"{person.name} is {person.role.value} and may not {WORDS[deed]}.",
                f"Ask an admin, or sign in as {roles}.",
            )
        if own and own != person.name and person.role is not Role.ADMIN:
            raise NotAllowedError(
                f"{person.name} may not work under the name of {own}.", f"Sign in as {own}, or use your own name."
            )

    def set_password(self, name: str, password: str) -> None:
        """Give a person a password. People change their own; admins set everybody's. The first is an admin's.

        Raises:
            UserFacingError: not allowed, too short, or no such person.
        """
        person = next((person for person in self._everyone() if person.name == name), None)
        if not self.is_guarded:
            if person is not None and person.role is not Role.ADMIN:
                raise UserFacingError(
                    "The first password of a study is an admin's: with it, everybody has to sign in.",
                    "Make somebody admin and give them a password first.",
                )
        elif self.person is None or self.person.name != name:
            self.require("people")
        Accounts(self.catalog).set_password(name, password, actor=self.actor)

    def _everyone(self) -> list[Annotator]:
        with self.catalog.reading() as connection:
            return people_table.everyone(connection)
