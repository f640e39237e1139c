"""Which eye trackers can be reached now, and what keeps the others away."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from acquisition.tracker import trackers
from domain.errors import UserFacingError
from domain.session import TrackerInfo

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundTracker:
    """One line of the list: a tracker, or why a driver found none."""

    driver: str
    label: str
    info: TrackerInfo | None
    text: str
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        info = self.info.as_json() if self.info else None
        return {"driver": self.driver, "label": self.label, "tracker": info, "text": self.text, "hint": self.hint}


def find_trackers() -> list[FoundTracker]:
    """Ask all drivers at once; takes as long as the slowest (Tobii's: 2 s). Not for the GUI thread."""
    names = trackers.names()
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        return [one for found in pool.map(_ask, names) for one in found]


def _ask(name: str) -> list[FoundTracker]:
    driver = trackers.get(name)
    try:
        infos = driver.discover()
    except UserFacingError as error:
        return [FoundTracker(name, driver.label, None, error.message, error.hint)]
    except Exception as error:
        # A vendor's library may raise anything; the other trackers must still be listed.
        log.exception("the driver %s could not look for trackers", name)
        return [FoundTracker(name, driver.label, None, f"{driver.label}: {error}")]
    if not infos:
        return [FoundTracker(name, driver.label, None, f"{driver.label}: none found")]
    return [FoundTracker(name, driver.label, info, _text(driver.label, info)) for info in infos]


def _text(label: str, info: TrackerInfo) -> str:
    parts = [info.model or label, info.serial, info.address, f"{info.rate_hz:g} Hz" if info.rate_hz else ""]
    return ", ".join(part for part in parts if part)
