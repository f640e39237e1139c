"""The files of one sitting: the first, and one more each time its tracker host had to be started again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from acquisition.finalise import JOURNAL_SUFFIX, SESSION_SUFFIX
from acquisition.tracker import TrackerSettings
from domain.session import SessionHeader, TrackerInfo
from domain.version import VERSION


def new_session_id() -> str:
    """Begins with the time, so that files lie in order; the rest keeps two machines apart."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"


@dataclass
class SessionParts:
    """Where the parts lie, and their headers. `number`: of the part that is written now, from 1."""

    folder: Path
    settings: TrackerSettings
    texts: Mapping[str, str]
    about: Mapping[str, Any]
    session_id: str = field(default_factory=new_session_id)
    number: int = 1

    def name(self, number: int = 0) -> str:
        """The session's id, with a number from the second part on; of the part that is written now by default."""
        number = number or self.number
        return self.session_id if number == 1 else f"{self.session_id}-part{number}"

    def journal_path(self, number: int = 0) -> Path:
        """Where a part is written while it is recorded."""
        return self.folder / f"{self.name(number)}{JOURNAL_SUFFIX}"

    @property
    def session_path(self) -> Path:
        """Where the session file of this part will be."""
        return self.folder / f"{self.name()}{SESSION_SUFFIX}"

    def header(self, info: TrackerInfo, number: int, *, now_ns: int) -> SessionHeader:
        """What stands at the beginning of a part that begins now."""
        continues = {"part": number, "continues": self.name(number - 1)} if number > 1 else {}
        return SessionHeader(
            session_id=self.name(number),
            created_utc=datetime.now(timezone.utc).isoformat(),
            clock_epoch_ns=now_ns,
            software_version=VERSION,
            tracker=info,
            display=self.settings.display,
            settings={"tracker": self.settings.as_json(), **self.about, **continues},
            **self.texts,
        )
