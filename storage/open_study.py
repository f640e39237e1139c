"""What every part of an open study needs: its folder, its catalog, who works in it, and the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from weakref import WeakValueDictionary

from sqlalchemy import Connection

from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack
from domain.study import StudySettings
from storage import audit_log
from storage.catalog import Catalog
from storage.study_settings_file import StudyFile


class OpenStudy:
    """Folder, settings, catalog and audit log of a study."""

    def __init__(self, folder: Path, content: StudyFile, catalog: Catalog, actor: str = "") -> None:
        self.folder = folder
        self.actor = actor
        self.catalog = catalog
        self._content = content
        # One stack for all who look at its slices now, forgotten with the last of them and when a file changes.
        self._stacks: WeakValueDictionary[tuple[tuple[object, ...], ...], SliceStack | ImagePixels] = (
            WeakValueDictionary()
        )

    @property
    def settings(self) -> StudySettings:
        """What the admin decided."""
        return self._content.settings

    def audit_entries(self) -> list[audit_log.AuditEntry]:
        """All changes of the study, oldest first."""
        with self.catalog.reading() as connection:
            return audit_log.entries(connection)

    def n_changes(self) -> int:
        """The number of the newest change: another number than before means that something was changed."""
        with self.catalog.reading() as connection:
            return audit_log.last_number(connection)

    def note(self, action: str, subject: str, details: Mapping[str, object]) -> None:
        """Enter something that happened with the study into the audit log."""
        self._note(action, subject, details)

    def _note(self, action: str, subject: str, details: Mapping[str, object]) -> None:
        with self.catalog.writing() as connection:
            self._append(connection, action, subject, details)

    def _append(self, connection: Connection, action: str, subject: str, details: Mapping[str, object]) -> None:
        audit_log.append(connection, self.actor or "local", action, subject, details)
