"""What a screen is, and the registry in which each file of `app/screens` enters one."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QWidget

from app.context import Services
from app.texts import tr
from domain.errors import NotAllowedError
from domain.registry import Registry
from domain.study import Role

ALL_ROLES = frozenset(Role)


class Screen(QWidget):
    """One page of the main window. A subclass registers itself with `@screens.register("name")`.

    `title` and `icon` name it in the rail, `order` places it there; `needs_study` keeps it shut until a study is open;
    `roles` are those who see it; `in_rail` is False for pages that other pages lead to.
    """

    title: ClassVar[str] = ""
    icon: ClassVar[str] = "help"
    order: ClassVar[int] = 100
    needs_study: ClassVar[bool] = True
    roles: ClassVar[frozenset[Role]] = ALL_ROLES
    in_rail: ClassVar[bool] = True

    @classmethod
    def refusal(cls, role: Role) -> NotAllowedError | None:
        """Why that role does not see this screen; None where it does."""
        if role in cls.roles:
            return None
        allowed = tr(" or ").join(tr(one.value) for one in Role if one in cls.roles)
        return NotAllowedError(
            tr("{screen} is for {roles}.").format(screen=tr(cls.title), roles=allowed),
            tr("Switch the user, or ask an admin to change your role."),
        )

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services

    def on_shown(self, **arguments: object) -> None:
        """The screen comes to the front; `arguments` are those of `services.navigate`."""

    def on_hidden(self) -> None:
        """Another screen comes to the front."""

    def can_leave(self) -> bool:
        """Whether the user may go elsewhere now (False while recording)."""
        return True

    def under_way(self) -> str:
        """What closing the window would stop, in a sentence for the user; empty where there is nothing."""
        return ""

    def close_screen(self) -> None:
        """The window closes: stop timers, processes and tasks of this screen."""


screens: Registry[type[Screen]] = Registry("screen", "app.screens")
