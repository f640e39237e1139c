"""Editing a mask in review: strokes that can be undone until they are stored as a version of their own."""

from __future__ import annotations

import numpy as np

from storage.mask_table import MaskVersion
from storage.study import Study
from workflows.mask_editing import Mask, Patch
from workflows.review import correct


class ReviewEdit:
    """A working copy of one version. Nothing of it is stored until `save`; the version it began from stays."""

    def __init__(self, study: Study, version: MaskVersion) -> None:
        study.require("review")
        self.study = study
        self.version = version
        self.mask: Mask = study.read_version(version).copy()
        self._original = self.mask.copy()
        self._done: list[Patch] = []
        self._undone: list[Patch] = []

    @property
    def is_changed(self) -> bool:
        """Whether the working copy differs from the version it began from."""
        return not np.array_equal(self.mask, self._original)

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a stroke to make again."""
        return bool(self._undone)

    def change(self, after: Mask) -> bool:
        """One stroke, polygon or fill; False where nothing differs."""
        patch = Patch.between(self.mask, after)
        if patch.is_empty:
            return False
        patch.apply(self.mask)
        self._done.append(patch)
        self._undone.clear()
        return True

    def undo(self) -> bool:
        """Take the last stroke back; False where there is none."""
        return self._turn(self._done, self._undone)

    def redo(self) -> bool:
        """Make the last undone stroke again; False where there is none."""
        return self._turn(self._undone, self._done)

    def save(self, *, reviewer: str, comment: str = "") -> int:
        """Store the working copy as the next version of the annotator's mask; its number."""
        return correct(self.study, self.version, self.mask, reviewer=reviewer, comment=comment)

    def _turn(self, source: list[Patch], into: list[Patch]) -> bool:
        if not source:
            return False
        patch = source.pop()
        patch.apply(self.mask)
        into.append(patch)
        return True
