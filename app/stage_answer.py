"""What an annotator decides about the image that is on: accept, no target, flag, skip, and taking that back."""

from __future__ import annotations

import numpy as np

from app.context import Services
from app.stage_cards import SKIP_REASONS
from app.stage_list import StageList
from domain.study import Outcome
from workflows.look_labels import LookResult
from workflows.mask_editing import Mask
from workflows.worklist import FINISHED


class StageAnswer:
    """Writes the decision to the desk; where the stage goes from there is the stage's."""

    def __init__(self, services: Services, images: StageList) -> None:
        self._services = services
        self._images = images
        self._decided: list[str] = []

    @property
    def can_undo(self) -> bool:
        """Whether something was decided in this sitting and not taken back."""
        return bool(self._decided)

    def accept(self, outcome: Outcome) -> None:
        """The mask of the look is the answer."""
        self._services.desk.accept(self._images.desk_place, outcome=outcome, origin="gaze")
        self._note()

    def no_target(self) -> None:
        """There is no target: an empty mask is the answer."""
        desk, place = self._services.desk, self._images.desk_place
        desk.change(place, np.zeros_like(desk.mask(place)), "no target")
        self.accept(Outcome.NO_TARGET)

    def flag(self) -> None:
        """Keep the mask and ask for a second look by somebody."""
        self._services.desk.flag(self._images.desk_place, "")
        self._note()

    def skip(self, number: int) -> None:
        """No answer, for the n-th reason (from 1)."""
        self._services.desk.open(*self._images.desk_place)
        self._services.desk.skip(self._images.desk_place, SKIP_REASONS[number - 1])
        self._note()

    @property
    def is_decided(self) -> bool:
        """Whether a decision about the image that is on stands."""
        return self._services.desk.status(self._images.desk_place) in FINISHED

    def note_correction(self) -> None:
        """The image that is on was decided about elsewhere: a decision of this sitting too."""
        self._note()

    def undo(self) -> str:
        """Take back the last decision of the sitting; its image, which is given, is on again. Its mask stays."""
        image_id = self._decided.pop()
        self._images.go_to(image_id)
        self._services.desk.reopen(self._images.desk_place)
        return image_id

    def working_mask(self, result: LookResult) -> Mask:
        """The mask of an image that is decided about again, with what was drawn since; the look's where it is empty."""
        desk, place = self._services.desk, self._images.desk_place
        desk.open(*place)
        if not desk.mask(place).any():
            desk.change(place, np.asarray(result.maps.levels[0]), "gaze")
        return desk.mask(place)

    def _note(self) -> None:
        image_id = self._images.image_id
        self._decided = [one for one in self._decided if one != image_id] + [image_id]
