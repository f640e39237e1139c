"""The first screen: go on with a study, make one, or try the sample study without a tracker."""

from __future__ import annotations

from typing import ClassVar

from app.context import Services
from app.screen import Screen, screens
from app.texts import tr
from app.widgets.plain import page


@screens.register("welcome")
class WelcomeScreen(Screen):
    """Where one starts."""

    title: ClassVar[str] = "Welcome"
    icon: ClassVar[str] = "home"
    order: ClassVar[int] = 10
    needs_study: ClassVar[bool] = False

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        page(self, tr("Welcome to Sightline"), tr("Annotate medical images by looking at them."))
