"""What is written beside the samples: into the host's journal, and kept in order while the host is dead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from acquisition.host import TrackerHost
from domain.errors import TrackerError
from domain.markers import IMAGE_OFFSET, IMAGE_ONSET, Marker, view_as_json
from domain.view import ImageView
from storage.journal import JournalEvent, JournalWriter

Values = dict[str, Any]  # JSON values, as the host takes them


class HostJournal:
    """Usable from the thread that records and from the one that brings a dead host back.

    is_cut: the host is dead, or back and not recording yet; what is written waits. view: how the image lies now.
    """

    def __init__(self, host: Callable[[], TrackerHost]) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._unsent: list[tuple[str, Values]] = []
        self._onset: Marker | None = None  # of the trial that runs
        self.view: ImageView | None = None
        self.is_cut = False

    def write(self, kind: str, values: Values) -> None:
        """Into the journal, or onto the list of what waits."""
        with self._lock:
            self._write(kind, values)

    def mark(self, marker: Marker) -> None:
        """Write a marker. What it says about the running trial holds from the same moment on."""
        with self._lock:
            if marker.kind in (IMAGE_ONSET, IMAGE_OFFSET):
                self._onset = marker if marker.kind == IMAGE_ONSET else None
            self._write("marker", {**marker.as_json(), "time_ns": marker.time_ns})

    def note_death(self) -> None:
        """The host was seen to be dead: nothing goes to it before `go_on`, though a new one may live already."""
        with self._lock:
            self.is_cut = self.is_cut or self._host().has_died

    def go_on(self, kind: str, *, now_ns: int, continues: str, facts: Mapping[str, Any]) -> None:
        """The host records into another part: it learns what happened, of the running trial, and what waited."""
        with self._lock:
            for waiting in [*self._opening(kind, now_ns=now_ns, continues=continues, facts=facts), *self._unsent]:
                self._host().journal(*waiting)
            self._unsent.clear()
            self.is_cut = False

    def keep(self, path: Path, header: Values, *, now_ns: int, continues: str) -> bool:
        """No host came back: put what waits into a journal of its own, without samples. False where nothing waits."""
        with self._lock:
            if not self._unsent:
                return False
            writer = JournalWriter(path, header)
            opening = self._opening("host_not_back", now_ns=now_ns, continues=continues, facts={})
            for kind, values in [*opening, *self._unsent]:
                writer.write_event(JournalEvent(kind, values))
            writer.close({"reason": "the tracker host had died and did not come back", "n_overflow": 0})
            self._unsent.clear()
            return True

    def _opening(self, kind: str, *, now_ns: int, continues: str, facts: Mapping[str, Any]) -> list[tuple[str, Values]]:
        found: list[tuple[str, Values]] = [
            ("notification", {"kind": kind, "time_ns": now_ns, "continues": continues, **facts})
        ]
        if self._onset is not None and self.view is not None:
            # The trial that was running is in both parts, with the view as it is now.
            values = {**self._onset.payload, "view": view_as_json(self.view), "continues": continues}
            marker = Marker(IMAGE_ONSET, values, submitted_ns=now_ns)
            found.append(("marker", {**marker.as_json(), "time_ns": marker.time_ns}))
        return found

    def _write(self, kind: str, values: Values) -> None:
        if not self.is_cut:
            try:
                self._host().journal(kind, values)
                return
            except TrackerError:
                if not self._host().has_died:
                    raise
                self.is_cut = True
        self._unsent.append((kind, values))
