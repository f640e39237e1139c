"""The people of a study, and who gets which image next."""

from __future__ import annotations

import hashlib

from domain.errors import UserFacingError
from domain.study import Role, TrialStatus
from storage import assignment_table, people_table
from storage.mask_table import NOT_PEOPLE, PROGRAMS
from storage.people_table import Annotator
from storage.study_images import StudyImages


class StudyPeople(StudyImages):
    """A study's people, their order of images, and where each stands."""

    def add_annotator(self, name: str, role: Role = Role.ANNOTATOR) -> None:
        """Enter a person; the same name again changes the role.

        Raises:
            NotAllowedError: only admins may.
            UserFacingError: the study would be left without an admin who can sign in.
        """
        self.require("people")
        if name in NOT_PEOPLE:
            raise UserFacingError(f"Masks that no person drew are called {name}.", "Use another name.")
        if self.is_guarded and role is not Role.ADMIN:
            admins = {person.name for person in self.annotators() if person.role is Role.ADMIN and person.has_password}
            if admins == {name}:
                raise UserFacingError(
                    f"{name} is the only admin with a password.", "Make somebody else admin first, with a password."
                )
        with self.catalog.writing() as connection:
            people_table.put(connection, name, role)
            self._append(connection, "person entered", name, {"role": role.value})

    def annotators(self) -> list[Annotator]:
        """All names under which data was entered: people, and programs such as the simulated eye."""
        with self.catalog.reading() as connection:
            return people_table.everyone(connection)

    def people(self) -> list[Annotator]:
        """Those who can sit down and work here; a program whose name was given a password by somebody is one."""
        return [one for one in self.annotators() if one.name not in PROGRAMS or one.has_password]

    def order(self, annotator: str) -> list[str]:
        """All image ids in this annotator's order: random, but the same on every machine and after additions.

        Source: isic-archive#183, random but deterministic per study and person.
        """
        seed = self.settings.protocol.order_seed

        def place(image_id: str) -> bytes:
            return hashlib.sha256(f"{seed}|{annotator}|{image_id}".encode()).digest()

        return sorted((image.image_id for image in self.images()), key=place)

    def next_unfinished(self, annotator: str, target: str) -> str | None:
        """The next image for this annotator, which nobody else gets for this read; None when all is done."""
        self.require("annotate", own=annotator)
        order = self.order(annotator)
        with self.catalog.writing() as connection:
            return assignment_table.claim_next(
                connection, order, annotator, target=target, reads_per_image=self.settings.protocol.reads_per_image
            )

    def set_status(self, image_id: str, annotator: str, target: str, status: TrialStatus) -> None:
        """Note where the annotator stands with an image."""
        self.require("annotate", own=annotator)
        with self.catalog.writing() as connection:
            assignment_table.set_status(connection, image_id, annotator, target=target, status=status)
            self._append(connection, "status", f"{image_id}/{annotator}/{target}", {"status": status.value})

    def statuses(self, annotator: str, target: str) -> dict[str, TrialStatus]:
        """Where the annotator stands, for each image given to them; images not listed are new."""
        with self.catalog.reading() as connection:
            return assignment_table.statuses(connection, annotator, target)
