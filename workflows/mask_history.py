"""All versions of a mask: who made which and when, how far each is from the newest, and bringing one back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from processing.overlap import dice
from storage.mask_table import MaskVersion
from storage.study import Study
from workflows.review import correct


@dataclass(frozen=True)
class PastMask:
    """One version with its pixels. `dice_with_newest` is 1 for the newest itself."""

    version: MaskVersion
    mask: NDArray[np.bool_]
    dice_with_newest: float

    @property
    def is_edited_in_review(self) -> bool:
        """Whether somebody other than the annotator made it."""
        return self.version.origin == "review"


def mask_history(study: Study, version: MaskVersion) -> list[PastMask]:
    """Every version of the mask that this is a version of, oldest first."""
    study.require("see others")
    versions = study.mask_versions(version.image_id, version.annotator, version.target)
    masks = [study.read_version(one) for one in versions]
    return [PastMask(one, mask, dice(mask, masks[-1])) for one, mask in zip(versions, masks, strict=True)]


def restore(study: Study, version: MaskVersion, *, reviewer: str) -> MaskVersion:
    """Make an older version the newest again: as one more version, whose parent it is; none is lost.

    Raises:
        UserFacingError: it is what the newest shows already, or the role does not allow it.
    """
    newest = study.mask_versions(version.image_id, version.annotator, version.target)[-1]
    mask = study.read_version(version)
    if np.array_equal(mask, study.read_version(newest)):
        raise UserFacingError(f"Version {version.version} is what the newest version shows already.", "")
    correct(study, version, mask, reviewer=reviewer, comment=f"restored version {version.version}")
    return study.mask_versions(version.image_id, version.annotator, version.target)[-1]
