"""The masks of a study: versions that are added and never replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError, UserFacingError
from storage import audit_log, mask_table
from storage.file_names import file_name_for
from storage.image_file import sha256_of
from storage.mask_file import read_mask, write_mask
from storage.mask_table import MaskVersion
from storage.study_images import StudyImages

# What one must be allowed to do for a mask that is not one's own.
_DEEDS = {"review": "review", "consensus": "review", "import": "import", "model": "train"}


class StudyMasks(StudyImages):
    """A study's masks."""

    def save_mask(
        self,
        image_id: str,
        annotator: str,
        target: str,
        mask: NDArray[np.bool_],
        *,
        origin: str,
        parent: int | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> int:
        """Store a new version of a mask, read it back, and return its number (from 1).

        `origin` says where it comes from: "gaze", "correction", "import", "model", "review", "consensus"; `parent`
        is the version that was changed; `facts` are kept beside it in the file.

        Raises:
            NotAllowedError: the role of who works here does not allow it.
            UserFacingError: the mask has not the size of the image, or was accepted and is closed.
        """
        if origin in _DEEDS:
            self.require(_DEEDS[origin])
        else:
            self.require("annotate", own=annotator)
        image = self.image(image_id)
        if mask.shape != (image.size[1], image.size[0]):
            raise UserFacingError(
                f"The mask is {mask.shape[1]} x {mask.shape[0]} pixels, the image {image.size[0]} x {image.size[1]}.",
                "Use a mask of the image's size.",
            )
        folder = Path("masks") / image_id
        with self.catalog.writing() as connection:
            standing = mask_table.accepted(connection, image_id, target)
            if standing is not None and standing.annotator == annotator and origin not in ("review", "consensus"):
                raise UserFacingError(
                    f"The mask of {image_id} was accepted and is closed.", "Ask a reviewer to reopen it."
                )
            version = mask_table.next_version(connection, image_id, target, annotator)
            path = folder / f"{file_name_for(annotator)}_{file_name_for(target)}_v{version}.png"
            record = {"image": image_id, "annotator": annotator, "target": target, "version": version}
            record |= {"origin": origin, "parent": parent, "author": self.actor or annotator, **(facts or {})}
            write_mask(self.folder / path, np.asarray(mask, np.bool_), record)
            if not np.array_equal(read_mask(self.folder / path)[0], mask):
                raise BadFileError(f"{path} was not stored as it is.", "Check the disk, then save again.")
            stored = MaskVersion(
                image_id=image_id,
                target=target,
                annotator=annotator,
                version=version,
                path=path.as_posix(),
                sha256=sha256_of(self.folder / path),
                origin=origin,
                parent=parent,
                author=self.actor or annotator,
                area_px=int(np.count_nonzero(mask)),
                saved_at=audit_log.now_utc(),
            )
            mask_table.insert(connection, stored)
            self._append(connection, "mask", f"{image_id}/{annotator}/{target}/{version}", {"sha256": stored.sha256})
        return version

    def mask_versions(self, image_id: str = "", annotator: str = "", target: str = "") -> list[MaskVersion]:
        """Stored mask versions that fit all that is given, oldest first."""
        with self.catalog.reading() as connection:
            return mask_table.versions(connection, image_id=image_id, target=target, annotator=annotator)

    def standing_versions(self, image_id: str = "", target: str = "") -> list[MaskVersion]:
        """Those mask versions, oldest first, that are somebody's answer now: what reviews, exports and counts go by."""
        with self.catalog.reading() as connection:
            return mask_table.standing(connection, image_id=image_id, target=target)

    def mask(self, image_id: str, annotator: str, target: str, version: int | None = None) -> NDArray[np.bool_] | None:
        """A mask of an annotator, the newest unless a version is given; None where there is none."""
        found = self.mask_versions(image_id, annotator, target)
        chosen = [v for v in found if version is None or v.version == version]
        return self.read_version(chosen[-1]) if chosen else None

    def accepted_mask(self, image_id: str, target: str) -> NDArray[np.bool_] | None:
        """The mask that a reviewer accepted; None where none is."""
        found = self.accepted_version(image_id, target)
        return self.read_version(found) if found else None

    def accepted_version(self, image_id: str, target: str) -> MaskVersion | None:
        """The version that a reviewer accepted; None where none is."""
        with self.catalog.reading() as connection:
            return mask_table.accepted(connection, image_id, target)

    def read_version(self, version: MaskVersion) -> NDArray[np.bool_]:
        """The pixels of one stored version."""
        return read_mask(self.folder / version.path)[0]
