"""Asking for a new password, twice."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from app.context import Services
from app.texts import tr
from app.widgets.plain import button, field_label, label, row, set_state
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress


class PasswordDialog(QDialog):
    """Two fields that must say the same; Enter takes it, Escape leaves all as it was."""

    def __init__(self, parent: QWidget, services: Services, name: str) -> None:
        super().__init__(parent)
        self.services = services
        self.name = name
        self.setWindowTitle(tr("Password"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        column.setContentsMargins(26, 22, 26, 18)
        column.setSpacing(14)
        column.addWidget(label(tr("Password of {name}").format(name=name), "heading"))
        if not services.open_study.is_guarded:
            words = tr("It is the study's first: from now on everybody signs in, and sees what their role needs.")
            column.addWidget(label(words, "muted", wraps=True))
        form = QFormLayout()
        form.setHorizontalSpacing(22)
        form.setVerticalSpacing(10)
        self.first, self.second = QLineEdit(), QLineEdit()
        for words, field in ((tr("New password"), self.first), (tr("Once more"), self.second)):
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setAccessibleName(words)
            field.setMinimumWidth(240)
            form.addRow(field_label(words), field)
        column.addLayout(form)
        self._problem = label("", "small", wraps=True)
        self._problem.setMinimumHeight(34)
        set_state(self._problem, "bad")
        column.addWidget(self._problem)
        self._go = button(tr("Set the password"), self._set, role="primary", icon_name="check")
        self._go.setDefault(True)
        column.addLayout(row(None, button(tr("Cancel"), self.reject), self._go))

    def reject(self) -> None:
        # A password that is being stored will be in force; whoever asked for it stays until it is.
        if self._go.isEnabled():
            super().reject()

    def _set(self) -> None:
        if self.first.text() != self.second.text():
            self._problem.setText(tr("The two are not the same."))
            return
        study, secret = self.services.open_study, self.first.text()
        self._go.setEnabled(False)

        def work(_report: OnProgress, _cancel: CancelToken) -> None:
            study.set_password(self.name, secret)

        self.services.tasks.start("", work, on_done=self._on_set, on_failed=self._on_refused)

    def _on_set(self, _nothing: object) -> None:
        self.accept()
        self.services.annotator_changed.emit()
        if self.services.is_signed_out:
            self.services.navigate("sign_in")

    def _on_refused(self, error: BaseException) -> None:
        self._go.setEnabled(True)
        if isinstance(error, UserFacingError):
            self._problem.setText(str(error))
        else:
            self.services.show_error(error)


def ask_password(parent: QWidget, services: Services, name: str) -> PasswordDialog:
    """Show the dialog over a window."""
    dialog = PasswordDialog(parent, services, name)
    dialog.open()
    dialog.first.setFocus()
    return dialog
