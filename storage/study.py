"""A study: one folder with images, sessions, maps and masks, and the catalog that knows them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from domain.errors import BadFileError, UserFacingError
from domain.study import StudySettings
from storage.atomic_write import as_user_facing
from storage.catalog import Catalog
from storage.study_masks import StudyMasks
from storage.study_people import StudyPeople
from storage.study_settings_file import FILE_NAME, StudyFile, read_study_file, write_study_file
from storage.study_trials import StudyTrials

CATALOG_FILE = "catalog.sqlite"
FOLDERS = ("images", "reference", "masks", "maps", "sessions", "models", "runs", "exports")


class Study(StudyPeople, StudyTrials, StudyMasks):
    """An open study. Methods may be called from any thread; several processes may have the study open at once.

    `actor` is the name that the audit log gives for changes.
    """

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
    def study_id(self) -> str:
        """A random id, the same for all copies of the study."""
        return self._content.study_id

    @property
    def catalog_url(self) -> str:
        """Where the catalog is, "" for the file in the study folder."""
        return self._content.catalog_url

    def update_settings(self, settings: StudySettings) -> None:
        """Store changed settings."""
        self.require("settings")
        self._content = replace(self._content, settings=settings)
        write_study_file(self.folder, self._content)
        self._note("settings changed", settings.name, {"labels": settings.labels.digest()})

    def use_catalog(self, url: str) -> None:
        """Point the study at another catalog ("" = the file in the folder); the data must be there already."""
        self.require("settings")
        content = replace(self._content, catalog_url=url)
        catalog = _catalog_of(self.folder, content)
        catalog.create_tables()
        write_study_file(self.folder, content)
        self.catalog.close()
        self._content, self.catalog = content, catalog


def _catalog_of(folder: Path, content: StudyFile) -> Catalog:
    return Catalog(content.catalog_url) if content.catalog_url else Catalog.in_file(folder / CATALOG_FILE)
