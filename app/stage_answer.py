"""What an annotator decides about the image that is on: accept, no target, flag, skip, and taking that back."""

from __future__ import annotations

import numpy as np

from app.context import Services
from app.stage_cards import SKIP_REASONS
from app.stage_list import StageList
from domain.study import Outcome
from workflows.edit_history import Decision


class StageAnswer:
    """Writes the decision to the desk; where the stage goes from there is the stage's."""

    def __init__(self, services: Services, images: StageList) -> None:
        self._services = services
        self._images = images

    def accept(self, outcome: Outcome) -> None:
        """The mask of the look is the answer."""
        self._services.desk.accept(self._images.desk_place, outcome=outcome, origin="gaze")

    def no_target(self) -> None:
        """There is no target: an empty mask is the answer."""
        desk, place = self._services.desk, self._images.desk_place
        desk.change(place, np.zeros_like(desk.mask(place)), "no target")
        self.accept(Outcome.NO_TARGET)

    def flag(self) -> None:
        """Keep the mask and ask for a second look by somebody."""
        self._services.desk.flag(self._images.desk_place, "")

    def skip(self, number: int) -> None:
        """No answer, for the n-th reason (from 1)."""
        self._services.desk.open(*self._images.desk_place)
        self._services.desk.skip(self._images.desk_place, SKIP_REASONS[number - 1])

    def undo(self) -> bool:
        """Take back the last decision and what was drawn since; its image is on again. False where there is none."""
        edit = self._services.desk.undo()
        while edit is not None and not isinstance(edit, Decision):
            edit = self._services.desk.undo()
        return edit is not None and self._images.go_to(edit.place[0])
