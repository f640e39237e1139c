"""A study: one folder with images, sessions, maps and masks, and the catalog that knows them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from domain.errors import BadFileError, UserFacingError
from domain.labels import LabelMaps, LabelParameters
from domain.pixels import ImagePixels
from domain.study import Role, StudyImage, StudySettings, TrialStatus
from domain.trial import TrialRecord
from storage import assignment_table, audit_log, image_table, mask_table, people_table, trial_table
from storage.atomic_write import as_user_facing
from storage.catalog import Catalog
from storage.file_names import checked_image_id, file_name_for
from storage.image_file import read_image, sha256_of
from storage.map_file import read_map, write_map
from storage.mask_file import read_mask, write_mask
from storage.mask_table import MaskVersion
from storage.people_table import Annotator
from storage.png_text import read_values
from storage.study_settings_file import FILE_NAME, StudyFile, read_study_file, write_study_file

CATALOG_FILE = "catalog.sqlite"
FOLDERS = ("images", "reference", "masks", "maps", "sessions", "models", "runs", "exports")


class Study:
    """An open study. Methods may be called from any thread; several processes may have the study open at once.

    `actor` is the name that the audit log gives for changes.
    """

    def __init__(self, folder: Path, content: StudyFile, catalog: Catalog, actor: str = "") -> None:
        self.folder = folder
        self.actor = actor
        self.catalog = catalog
        self._content = content

    # ------------------------------------------------------------------ opening and closing

    @classmethod
    def create(cls, folder: Path | str, settings: StudySettings, *, actor: str = "", catalog_url: str = "") -> Study:
        """Make a new study in an empty or new folder.

        Raises:
            UserFacingError: the folder holds something already, or cannot be written.
        """
        place = Path(folder).absolute()
        if (place / FILE_NAME).exists():
            raise UserFacingError(f"{place} already holds a study.", "Open it, or choose another folder.")
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise UserFacingError(f"{place} is not an empty folder.", "Choose a new or empty folder for the study.")
        try:
            for name in FOLDERS:
                (place / name).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise as_user_facing(problem, place) from problem
        content = StudyFile(settings=settings, study_id=uuid.uuid4().hex, catalog_url=catalog_url)
        catalog = _catalog_of(place, content)
        catalog.create_tables()
        # study.json comes last: a folder without it is not a study, so a failure above leaves no half study.
        write_study_file(place, content)
        study = cls(place, content, catalog, actor)
        study._note("study created", settings.name, {"study_id": content.study_id})
        return study

    @classmethod
    def open(cls, folder: Path | str, *, actor: str = "") -> Study:
        """Open a study and bring its catalog up to date.

        Raises:
            BadFileError: no study, or damaged.
            NewerVersionError: a newer Sightline made it.
        """
        place = Path(folder).absolute()
        content = read_study_file(place)
        if not content.catalog_url and not (place / CATALOG_FILE).is_file():
            raise BadFileError(f"{place} has lost its {CATALOG_FILE}.", "Put the file back from a backup.")
        catalog = _catalog_of(place, content)
        try:
            catalog.create_tables()
        except Exception:
            catalog.close()
            raise
        return cls(place, content, catalog, actor)

    def close(self) -> None:
        """Give the catalog back."""
        self.catalog.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ settings

    @property
    def settings(self) -> StudySettings:
        """What the admin decided."""
        return self._content.settings

    @property
    def study_id(self) -> str:
        """A random id, the same for all copies of the study."""
        return self._content.study_id

    @property
    def catalog_url(self) -> str:
        """Where the catalog is, "" for the file in the study folder."""
        return self._content.catalog_url

    def update_settings(self, settings: StudySettings) -> None:
        """Store changed settings."""
        self._content = replace(self._content, settings=settings)
        write_study_file(self.folder, self._content)
        self._note("settings changed", settings.name, {"labels": settings.labels.digest()})

    def use_catalog(self, url: str) -> None:
        """Point the study at another catalog ("" = the file in the folder); the data must be there already."""
        content = replace(self._content, catalog_url=url)
        catalog = _catalog_of(self.folder, content)
        catalog.create_tables()
        write_study_file(self.folder, content)
        self.catalog.close()
        self._content, self.catalog = content, catalog

    # ------------------------------------------------------------------ images

    def add_images(self, images: Sequence[StudyImage]) -> None:
        """Enter images, all or none.

        Raises:
            UserFacingError: an id that is taken or cannot be a file name.
        """
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

    def add_import(self, images: Sequence[StudyImage], trials: Sequence[TrialRecord]) -> None:
        """Enter images and trials of an import in one step: all or none."""
        people = sorted({trial.annotator for trial in trials} - {person.name for person in self.annotators()})
        with self.catalog.writing() as connection:
            taken = image_table.known_ids(connection)
            clash = next((image.image_id for image in images if image.image_id in taken), None)
            if clash is not None:
                raise UserFacingError(f"An image {clash!r} was added meanwhile.", "Import again.")
            image_table.insert(connection, images)
            for name in people:
                people_table.put(connection, name, Role.ANNOTATOR)
            for trial in trials:
                trial_table.insert(connection, trial)
                assignment_table.set_status(
                    connection, trial.image_id, trial.annotator, target=trial.target, status=trial.status
                )
            facts = {"n_images": len(images), "n_trials": len(trials), "annotators": people}
            digest = hashlib.sha256("\n".join(f"{i.image_id} {i.sha256}" for i in images).encode()).hexdigest()
            self._append(connection, "import", f"{len(images)} images", {**facts, "sha256_of_list": digest})

    def update_image(self, image: StudyImage) -> None:
        """Change what is known of an image: its path, case, split or mask."""
        with self.catalog.writing() as connection:
            image_table.update(connection, image)
            self._append(connection, "image changed", image.image_id, {"path": image.path, "split": image.split})

    def update_images(self, images: Sequence[StudyImage], reason: str) -> None:
        """Change many images at once, all or none."""
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
        """The pixels of an image; of one slice where the image is a slice of a volume.

        Raises:
            BadFileError: the file is missing or unreadable.
        """
        image = self.image(image_id)
        pixels = read_image(self.absolute(image.path))
        if image.slice_index < 0:
            return pixels
        if image.slice_index >= pixels.n_slices:
            raise BadFileError(
                f"{image.path} has {pixels.n_slices} slices; slice {image.slice_index} is missing.", "Import it again."
            )
        return pixels.one_slice(image.slice_index)

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
            stack = read_image(path).values
            mask = np.asarray(stack[max(0, image.slice_index)] > 0)
        else:
            mask = read_mask(path)[0]
        if mask.shape != (image.size[1], image.size[0]):
            raise BadFileError(
                f"The mask {image.mask_path} is {mask.shape[1]} x {mask.shape[0]} pixels, its image "
                f"{image.size[0]} x {image.size[1]}.",
                "Import a mask of the image's size.",
            )
        return mask

    # ------------------------------------------------------------------ people and order

    def add_annotator(self, name: str, role: Role = Role.ANNOTATOR) -> None:
        """Enter a person; the same name again changes the role."""
        with self.catalog.writing() as connection:
            people_table.put(connection, name, role)
            self._append(connection, "person entered", name, {"role": role.value})

    def annotators(self) -> list[Annotator]:
        """All people of the study."""
        with self.catalog.reading() as connection:
            return people_table.everyone(connection)

    def order(self, annotator: str) -> list[str]:
        """All image ids in this annotator's order: random, but the same on every machine and after additions.

        Source: isic-archive#183, random but deterministic per study and person.
        """
        seed = self.settings.protocol.order_seed

        def place(image_id: str) -> bytes:
            return hashlib.sha256(f"{seed}|{annotator}|{image_id}".encode()).digest()

        return sorted((image.image_id for image in self.images()), key=place)

    def next_unfinished(self, annotator: str, target: str) -> str | None:
        """The next image for this annotator, which nobody else gets for this read; None when all is done."""
        order = self.order(annotator)
        with self.catalog.writing() as connection:
            return assignment_table.claim_next(
                connection, order, annotator, target=target, reads_per_image=self.settings.protocol.reads_per_image
            )

    def set_status(self, image_id: str, annotator: str, target: str, status: TrialStatus) -> None:
        """Note where the annotator stands with an image."""
        with self.catalog.writing() as connection:
            assignment_table.set_status(connection, image_id, annotator, target=target, status=status)
            self._append(connection, "status", f"{image_id}/{annotator}/{target}", {"status": status.value})

    def statuses(self, annotator: str, target: str) -> dict[str, TrialStatus]:
        """Where the annotator stands, for each image given to them; images not listed are new."""
        with self.catalog.reading() as connection:
            return assignment_table.statuses(connection, annotator, target)

    # ------------------------------------------------------------------ trials and maps

    def save_trial(self, record: TrialRecord) -> None:
        """Store a trial durably; the same trial_id again replaces it, earlier trials stay."""
        self.image(record.image_id)
        with self.catalog.writing() as connection:
            trial_table.insert(connection, record)
            assignment_table.set_status(
                connection, record.image_id, record.annotator, target=record.target, status=record.status
            )
            facts = {"image": record.image_id, "outcome": record.outcome.value, "status": record.status.value}
            self._append(connection, "trial", record.trial_id, {**facts, "n_fixations": len(record.fixations)})

    def trial(self, image_id: str, annotator: str, target: str) -> TrialRecord | None:
        """The newest trial of this annotator on this image."""
        found = self.trials(image_id=image_id, annotator=annotator, target=target)
        return found[-1] if found else None

    def trials(
        self,
        *,
        image_id: str = "",
        annotator: str = "",
        target: str = "",
        trial_id: str = "",
        newest_only: bool = False,
    ) -> list[TrialRecord]:
        """Trials that fit all that is given, oldest first; or the newest of each (image, annotator, target)."""
        with self.catalog.reading() as connection:
            found = trial_table.find(
                connection, image_id=image_id, annotator=annotator, target=target, trial_id=trial_id
            )
        if not newest_only:
            return found
        return list({(t.image_id, t.annotator, t.target): t for t in found}.values())

    def save_maps(self, trial_id: str, maps: LabelMaps, *, facts: Mapping[str, object] | None = None) -> None:
        """Store the heatmap and the refined map of a trial with their parameters, and further facts beside them."""
        parameters: dict[str, object] = {"parameters": maps.parameters.as_json(), "warnings": list(maps.warnings)}
        parameters["facts"] = dict(facts or {})
        heatmap, refined = self._map_paths(trial_id)
        write_map(heatmap, maps.heatmap, parameters)
        write_map(refined, maps.refined, parameters)

    def maps_record(self, trial_id: str) -> dict[str, object] | None:
        """How the maps of a trial were made ("parameters", "warnings", "facts"), without reading the maps; or None."""
        heatmap, refined = self._map_paths(trial_id)
        if not (heatmap.is_file() and refined.is_file()):
            return None
        try:
            return read_values(refined)
        except (OSError, SyntaxError, ValueError):
            return None

    def maps(self, trial_id: str) -> LabelMaps | None:
        """The maps of a trial, None where none were made."""
        heatmap, refined = self._map_paths(trial_id)
        if not (heatmap.is_file() and refined.is_file()):
            return None
        heat, _ = read_map(heatmap)
        fine, values = read_map(refined)
        parameters, warnings = values.get("parameters"), values.get("warnings")
        if not isinstance(parameters, dict) or not isinstance(warnings, list):
            raise BadFileError(f"{refined} does not say how it was made.", "Make the labels again.")
        return LabelMaps(heat, fine, LabelParameters.from_json(parameters), tuple(str(w) for w in warnings))

    def _map_paths(self, trial_id: str) -> tuple[Path, Path]:
        folder = self.folder / "maps" / file_name_for(trial_id)
        return folder / "heatmap.png", folder / "refined.png"

    # ------------------------------------------------------------------ masks

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

        `origin` says where it comes from: "gaze", "correction", "import", "model", "review"; `parent` is the version
        that was changed; `facts` are kept beside it in the file.

        Raises:
            UserFacingError: the mask has not the size of the image.
        """
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

    # ------------------------------------------------------------------ audit

    def audit_entries(self) -> list[audit_log.AuditEntry]:
        """All changes of the study, oldest first."""
        with self.catalog.reading() as connection:
            return audit_log.entries(connection)

    def note(self, action: str, subject: str, details: Mapping[str, object]) -> None:
        """Enter something that happened with the study into the audit log."""
        self._note(action, subject, details)

    def _note(self, action: str, subject: str, details: Mapping[str, object]) -> None:
        with self.catalog.writing() as connection:
            self._append(connection, action, subject, details)

    def _append(self, connection: Connection, action: str, subject: str, details: Mapping[str, object]) -> None:
        audit_log.append(connection, self.actor or "local", action, subject, details)


def _catalog_of(folder: Path, content: StudyFile) -> Catalog:
    return Catalog(content.catalog_url) if content.catalog_url else Catalog.in_file(folder / CATALOG_FILE)
