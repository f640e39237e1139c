"""Who works here: asked when a study's people have passwords, and whenever somebody else sits down."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout

from app.context import Services
from app.screen import Screen, screens
from app.texts import tr
from app.widgets.plain import button, card, field_label, label, row, set_state
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress
from domain.study import Role
from storage.people_table import Annotator
from storage.study import Study


@screens.register("sign_in")
class SignInScreen(Screen):
    """A name, a password, Enter. Where nobody has a password, the name is enough."""

    title: ClassVar[str] = "Sign in"
    icon: ClassVar[str] = "user"
    order: ClassVar[int] = 12
    in_rail: ClassVar[bool] = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._asked: Study | None = None
        whole = QVBoxLayout(self)
        frame, column = card(margin=32, spacing=16)
        frame.setFixedWidth(460)
        self._study_name = label("", "heading", wraps=True)
        column.addWidget(self._study_name)
        self._words = label("", "muted", wraps=True)
        column.addWidget(self._words)
        form = QFormLayout()
        form.setHorizontalSpacing(22)
        form.setVerticalSpacing(12)
        self._problem = label("", "small", wraps=True)
        self.people = QComboBox()
        self.people.setAccessibleName(tr("Who works here"))
        self.people.currentIndexChanged.connect(lambda _index: self._problem.setText(""))
        self.password = QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setAccessibleName(tr("Password"))
        self.password.returnPressed.connect(self.sign_in)
        self._password_label = field_label(tr("Password"))
        form.addRow(field_label(tr("Person")), self.people)
        form.addRow(self._password_label, self.password)
        column.addLayout(form)
        self._problem.setMinimumHeight(36)
        self._problem.setAlignment(Qt.AlignmentFlag.AlignTop)
        set_state(self._problem, "bad")
        column.addWidget(self._problem)
        self._go = button(tr("Sign in"), self.sign_in, role="primary", icon_name="check")
        other = button(tr("Another study"), lambda: services.navigate("welcome"), role="quiet")
        column.addLayout(row(self._go, other, None))
        whole.addStretch(2)
        # Springs, not an alignment: an aligned card is given the height of one line for words that need two.
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(frame)
        middle.addStretch(1)
        whole.addLayout(middle)
        whole.addStretch(3)

    def on_shown(self, **arguments: object) -> None:
        study = self.services.open_study
        needs_password = study.is_guarded
        self._study_name.setText(study.settings.name)
        self._words.setText(
            tr("The people of this study have passwords. Choose yourself and sign in.")
            if needs_password
            else tr("Choose who works here. Nobody in this study has a password.")
        )
        self.people.clear()
        people = study.people()
        own = self.services.settings.annotator
        if not needs_password and own not in {person.name for person in people}:
            people.insert(0, Annotator(own, Role.ADMIN))  # who works here now, and was never entered
        for person in people:
            if person.has_password or not needs_password:
                self.people.addItem(f"{person.name} · {tr(person.role.value)}", person)
        place = next(
            (n for n in range(self.people.count()) if self.people.itemData(n).name == self.services.settings.annotator),
            0,
        )
        self.people.setCurrentIndex(place)
        self.password.clear()
        self.password.setVisible(needs_password)
        self._password_label.setVisible(needs_password)
        self._go.setEnabled(self.people.count() > 0)
        self._problem.setText("" if self.people.count() else tr("The study has nobody yet; enter people in Study."))
        (self.password if needs_password else self.people).setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.sign_in()
        else:
            super().keyPressEvent(event)

    def sign_in(self) -> None:
        """Take the name and the password; beside the window, since checking a password takes its time on purpose."""
        person = self.people.currentData()
        if not isinstance(person, Annotator) or not self._go.isEnabled():
            return
        study, secret = self.services.open_study, self.password.text()
        self._asked = study
        if not study.is_guarded:
            self._on_signed_in(person)
            return
        self.password.clear()
        self._go.setEnabled(False)
        self._problem.setText("")

        def check(_report: OnProgress, _cancel: CancelToken) -> Annotator:
            return study.sign_in(person.name, secret)

        task = self.services.tasks.start("", check, on_done=self._on_signed_in, on_failed=self._on_refused)
        task.ended.connect(self._on_checked)

    def _on_checked(self) -> None:
        self._go.setEnabled(True)

    def _on_signed_in(self, person: Annotator) -> None:
        if self.services.study is not self._asked:
            return  # another study was opened meanwhile; who one is in this one says nothing there
        self.services.set_annotator(person.name, person.role)
        self.services.settings.annotator = person.name
        self.services.settings.save()
        self.services.navigate("worklist")

    def _on_refused(self, error: BaseException) -> None:
        if isinstance(error, UserFacingError):
            self._problem.setText(str(error))
            self.password.setFocus()
        else:
            self.services.show_error(error)
