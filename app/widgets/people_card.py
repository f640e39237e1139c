"""The people of a study: who they are, what they may do, and whether they have a password."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QGridLayout, QLineEdit, QListWidget, QListWidgetItem

from app.context import Services
from app.password_dialog import ask_password
from app.texts import tr
from app.theme import COLOURS, icon
from app.widgets.plain import Card, button, label, row
from domain.errors import UserFacingError
from domain.study import Role
from storage.mask_table import PROGRAMS
from storage.people_table import Annotator


class PeopleCard(Card):
    """A list of people, the fields to enter one, and what can be done with the chosen one."""

    def __init__(self, services: Services) -> None:
        super().__init__(tr("People"))
        self.services, column = services, self.column
        self._words = label("", "muted", wraps=True)
        column.addWidget(self._words)
        self.people = QListWidget()
        self.people.setAccessibleName(tr("People"))
        self.people.setMaximumHeight(150)
        self.people.currentRowChanged.connect(self._on_chosen)
        column.addWidget(self.people)
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        self.name, self.role = QLineEdit(), QComboBox()
        self.name.setPlaceholderText(tr("Name or pseudonym"))
        self.name.setAccessibleName(tr("Name or pseudonym"))
        self.name.returnPressed.connect(self.add)
        self.role.setAccessibleName(tr("Role"))
        for role in Role:
            self.role.addItem(tr(role.value), role)
        grid.addWidget(self.name, 0, 0)
        grid.addWidget(self.role, 0, 1)
        grid.addWidget(button(tr("Add"), self.add, icon_name="plus"), 0, 2)
        grid.setColumnStretch(0, 1)
        column.addLayout(grid)
        self._password = button(tr("Set the password…"), self.set_password)
        self._role_button = button(tr("Give this role"), self.change_role)
        self._role_button.setToolTip(tr("Give the chosen person the role that stands beside the name"))
        self._work_as = button(tr("Work as this person"), self.work_as, icon_name="user")
        column.addLayout(row(self._work_as, self._role_button, self._password, None))
        self._on_chosen(-1)

    def show_people(self) -> None:
        """Read the people from the study."""
        study = self.services.open_study
        chosen = self.people.currentRow()
        self.people.clear()
        for person in study.people():
            has = tr("has a password") if person.has_password else tr("no password")
            item = QListWidgetItem(
                icon("user", COLOURS.text if person.has_password else COLOURS.muted),
                f"{person.name} · {tr(person.role.value)} · {has}",
            )
            self.people.addItem(item)
        self._words.setText(
            tr("Everybody signs in and sees what their role needs. Who has no password cannot sign in.")
            if study.is_guarded
            else tr("Nobody has a password: all may do everything. The first password, an admin's, changes that.")
        )
        self._work_as.setVisible(not study.is_guarded)
        self.people.setCurrentRow(min(max(chosen, 0), self.people.count() - 1))

    def add(self) -> None:
        """Enter the person whose name was written."""
        name = self.name.text().strip()
        if name in PROGRAMS:
            words = tr("Programs work under the name {name}.").format(name=name)
            self.services.show_error(UserFacingError(words, tr("Use another name.")))
        elif name and self._tried(name, Role(self.role.currentData())):
            self.name.clear()

    def change_role(self) -> None:
        """Give the chosen person the role beside the name."""
        person = self._person()
        if person is not None:
            self._tried(person.name, Role(self.role.currentData()))

    def set_password(self) -> None:
        """Ask for a new password of the chosen person."""
        person = self._person()
        if person is not None:
            dialog = ask_password(self.window(), self.services, person.name)
            dialog.accepted.connect(self.show_people)

    def work_as(self) -> None:
        """Be the chosen person, in a study where nobody has a password."""
        person = self._person()
        if person is not None:
            self.services.set_annotator(person.name, person.role)
            self.services.navigate("worklist")

    def _tried(self, name: str, role: Role) -> bool:
        try:
            self.services.open_study.add_annotator(name, role)
        except UserFacingError as refusal:
            self.services.show_error(refusal)
            return False
        self.show_people()
        return True

    def _on_chosen(self, place: int) -> None:
        for made in (self._password, self._role_button, self._work_as):
            made.setEnabled(place >= 0)

    def _person(self) -> Annotator | None:
        people = self.services.open_study.people()
        place = self.people.currentRow()
        return people[place] if 0 <= place < len(people) else None
