"""The images of a study: what the catalog knows of them, their pixels, and the masks that came with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError

from domain.errors import BadFileError, UserFacingError
from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack
from domain.study import Role, StudyImage
from domain.trial import TrialRecord
from storage import assignment_table, image_table, people_table, trial_table
from storage.file_names import checked_image_id
from storage.guarded_study import GuardedStudy
from storage.image_file import read_image, read_slice
from storage.image_reader import no_such_slice
from storage.mask_file import read_mask


class StudyImages(GuardedStudy):
    """A study's images."""

    def add_images(self, images: Sequence[StudyImage]) -> None:
        """Enter images, all or none.

        Raises:
            UserFacingError: an id that is taken or cannot be a file name.
        """
        self.require("import")
        new = [replace(image, image_id=checked_image_id(image.image_id)) for image in images]
        try:
            with self.catalog.writing() as connection:
                taken = image_table.known_ids(connection)
                for image in new:
                    if image.image_id in taken:
                        raise UserFacingError(f"The study already has an image {image.image_id!r}.", "Rename the file.")
                    taken.add(image.image_id)
                image_table.insert(connection, new)
                digest = hashlib.sha256("\n".join(f"{i.image_id} {i.sha256}" for i in new).encode()).hexdigest()
                self._append(connection, "images added", f"{len(new)} images", {"sha256_of_list": digest})
        except IntegrityError as problem:
            raise UserFacingError("An image of that name was added meanwhile.", "Import again.") from problem

    def add_import(
        self,
        images: Sequence[StudyImage],
        trials: Sequence[TrialRecord],
        *,
        stacked: Sequence[StudyImage] = (),
    ) -> None:
        """Enter images and trials of an import in one step, all or none; `stacked` are there and join a stack."""
        self.require("import")
        people = sorted({trial.annotator for trial in trials} - {person.name for person in self._everyone()})
        with self.catalog.writing() as connection:
            taken = image_table.known_ids(connection)
            clash = next((image.image_id for image in images if image.image_id in taken), None)
            if clash is not None:
                raise UserFacingError(f"An image {clash!r} was added meanwhile.", "Import again.")
            image_table.insert(connection, images)
            for image in stacked:
                image_table.update(connection, image)
            for name in people:
                people_table.put(connection, name, Role.ANNOTATOR)
            for trial in trials:
                trial_table.insert(connection, trial)
                assignment_table.set_status(
                    connection, trial.image_id, trial.annotator, target=trial.target, status=trial.status
                )
            facts: dict[str, object] = {"n_images": len(images), "n_trials": len(trials), "annotators": people}
            if stacked:
                facts["joined_a_stack"] = [image.image_id for image in stacked][:1000]
            digest = hashlib.sha256("\n".join(f"{i.image_id} {i.sha256}" for i in images).encode()).hexdigest()
            self._append(connection, "import", f"{len(images)} images", {**facts, "sha256_of_list": digest})

    def update_image(self, image: StudyImage) -> None:
        """Change what is known of an image: its path, case, split or mask."""
        self.require("import")
        with self.catalog.writing() as connection:
            image_table.update(connection, image)
            self._append(connection, "image changed", image.image_id, {"path": image.path, "split": image.split})

    def update_images(self, images: Sequence[StudyImage], reason: str) -> None:
        """Change many images at once, all or none."""
        self.require("import")
        with self.catalog.writing() as connection:
            for image in images:
                image_table.update(connection, image)
            self._append(connection, reason, f"{len(images)} images", {"ids": [i.image_id for i in images][:1000]})

    def images(self, search: str = "", split: str = "") -> list[StudyImage]:
        """Images in the order of their import; `search` looks at id, case and origin."""
        with self.catalog.reading() as connection:
            return image_table.find(connection, search=search, split=split)

    def image(self, image_id: str) -> StudyImage:
        """One image.

        Raises:
            UserFacingError: no such image.
        """
        with self.catalog.reading() as connection:
            found = image_table.get(connection, image_id)
        if found is None:
            raise UserFacingError(f"The study has no image {image_id!r}.", "See the list of images.")
        return found

    def ids_by_hash(self) -> dict[tuple[str, int], str]:
        """(sha256, slice) of each image file to the image that has it."""
        with self.catalog.reading() as connection:
            return image_table.ids_by_hash(connection)

    def absolute(self, path: str) -> Path:
        """A path of the catalog as a path of this machine."""
        return self.folder / path

    def relative(self, path: Path) -> str:
        """A path of this machine as the catalog keeps it: relative where it lies in the study folder."""
        try:
            return path.absolute().relative_to(self.folder).as_posix()
        except ValueError:
            return path.absolute().as_posix()

    def pixels(self, image_id: str) -> ImagePixels:
        """The pixels of an image; of one slice where the image is a slice of a volume or a series.

        Raises:
            BadFileError: the file is missing or unreadable.
        """
        image = self.image(image_id)
        path = self.absolute(image.path)
        return read_image(path) if image.slice_index < 0 else read_slice(path, image.slice_index)

    def stack(self, image_id: str) -> tuple[ImagePixels | SliceStack, int | None]:
        """The stack that an image is a slice of, and which slice it is; None where the image is all there is.

        Of a series with a file per slice only the image itself is read now, its neighbours when they are looked at.

        Raises:
            BadFileError: the file is missing or unreadable, or a neighbour's is missing.
        """
        image = self.image(image_id)
        members = self.slices_of(image)
        if len(members) > 1:
            paths = [self.absolute(member.path) for member in members]
            key = tuple(_state_of(path) for path in paths)
            if not all(key):
                raise BadFileError(
                    f"{paths[key.index(())]} is not there; it is a slice of the series of {image_id}.",
                    "Put it back, or let the study look for moved images on the Study page.",
                )
            home = [member.image_id for member in members].index(image_id)
            stack = self._stacks.get(key)
            if not isinstance(stack, SliceStack):
                stack = self._stacks[key] = SliceStack([partial(read_image, path) for path in paths], first=home)
            stack.one_slice(home)
            return stack, home
        path = self.absolute(image.path)
        if image.slice_index < 0:
            return read_image(path), None
        state = _state_of(path)
        volume = self._stacks.get((state,))
        if volume is None:
            volume = self._stacks[state,] = read_image(path)
        return volume, _checked_index(image, volume.n_slices)

    def slices_of(self, image: StudyImage) -> list[StudyImage]:
        """All slices of the series that an image belongs to, in their order; nothing where it belongs to none."""
        if not image.stack:
            return []
        with self.catalog.reading() as connection:
            return image_table.of_stack(connection, image.stack)

    def n_slices_of(self, path: Path) -> int:
        """How many slices an image file has."""
        return read_image(path).n_slices

    def ground_truth(self, image_id: str) -> NDArray[np.bool_] | None:
        """The reference mask (H, W) that came with the image; None where there is none."""
        image = self.image(image_id)
        if not image.mask_path:
            return None
        path = self.absolute(image.mask_path)
        if path.name.lower().endswith((".nii", ".nii.gz", ".dcm")):
            plane = read_slice(path, max(0, image.slice_index)).values[0]
            mask = np.asarray(np.asarray(plane, np.float64) > 0)
        else:
            mask = read_mask(path)[0]
        if mask.shape != (image.size[1], image.size[0]):
            raise BadFileError(
                f"The mask {image.mask_path} is {mask.shape[1]} x {mask.shape[0]} pixels, its image "
                f"{image.size[0]} x {image.size[1]}.",
                "Import a mask of the image's size.",
            )
        return mask


def _state_of(path: Path) -> tuple[object, ...]:
    """What changes when a file is replaced; nothing where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return path, facts.st_mtime_ns, facts.st_size


def _checked_index(image: StudyImage, n_slices: int) -> int:
    if image.slice_index >= n_slices:
        raise no_such_slice(Path(image.path), image.slice_index, n_slices)
    return image.slice_index
