"""Record one sitting: open the tracker, show images, mark what is shown when, publish the session file."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.finalise import Recovered, finalise, recover_all
from acquisition.host import HostEvent, TrackerHost
from acquisition.lsl_outlet import LslOutlet
from acquisition.screen_check import WrongScreenError, require_display_area
from acquisition.tracker import TrackerSettings
from acquisition.trackers.lsl import load_pylsl
from domain.display import Display
from domain.errors import TrackerError, UserFacingError
from domain.gaze import GazeSamples
from domain.markers import IMAGE_OFFSET, IMAGE_ONSET, KEY_PRESS, VIEW_CHANGE, Marker, view_as_json
from domain.scene import Scene
from domain.session import OnlineFixation, SessionRecord, SessionTrial, TrackerInfo
from domain.view import ImageView
from storage.session_file import header_as_json
from workflows.host_journal import HostJournal
from workflows.host_revival import HostRevival
from workflows.online_fixations import OnlineDetector, OnlineFixations
from workflows.session_parts import SessionParts
from workflows.trial_memory import TrialMemory

log = logging.getLogger(__name__)

HOST_RESTARTED = "host_restarted"
NOT_GOING_ON = "recording_cannot_go_on"

POLL_S = 10.0
"""Longest stretch that is advanced at once: the ring holds 54 s at 1200 Hz."""


class RecordSession:
    """One sitting of one annotator with one tracker; the application, the command line and the demo all use it.

    With `sends_to_lsl` the gaze also goes to the lab streaming layer.
    Fixations are found while it runs (by `detector`, I-VT by default) whenever `poll` is called.
    A host that dies while `poll` is called is started again; the recording goes on in another part, a file of its own,
    with the trial that was running, and what was to be written meanwhile. `events` tells of it as "host_restarted".
    Markers take times of `now_ns()`. With a simulated tracker of speed 0 time stands still between calls of `advance`.
    """

    def __init__(
        self,
        folder: Path,
        settings: TrackerSettings,
        *,
        study: str = "",
        annotator: str = "",
        target: str = "",
        python: str = "",
        detector: OnlineDetector | None = None,
        finds_fixations: bool = True,
        sends_to_lsl: bool = False,
        about: Mapping[str, Any] | None = None,
        on_restarted: Callable[[], None] | None = None,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.host = TrackerHost(settings, python=python)
        texts = {"study": study, "annotator": annotator, "target": target}
        self._parts = SessionParts(folder, settings, texts, dict(about or {}))
        online = OnlineFixations(settings.display) if finds_fixations else None
        self._detector: OnlineDetector | None = detector or online
        self._position = 0
        self._trial = TrialMemory()
        self._trial_id = ""
        self._n_trials = 0
        self._mask: NDArray[np.bool_] | None = None
        self._is_recording = False
        self._sends_to_lsl = sends_to_lsl
        self._outlet: LslOutlet | None = None
        self.recovered: list[Recovered] = []
        self.problem: UserFacingError | None = None  # why the recording does not go on, though the host is back
        self._record: SessionRecord | None = None
        self.earlier_parts: list[Path] = []
        self._journal = HostJournal(lambda: self.host)
        # Another try does not make another screen of it; a few are made because a tracker may still be starting.
        self._revival = HostRevival(
            lambda: self.host, self._begin_part, on_given_up=self._give_up, final=WrongScreenError
        )
        self._on_restarted = on_restarted
        self._told: deque[HostEvent] = deque()

    @property
    def session_id(self) -> str:
        """Of the sitting, the same for all its parts."""
        return self._parts.session_id

    @property
    def is_cut(self) -> bool:
        """Whether the host has died and the recording does not go on yet, though a new host may live already."""
        return self._journal.is_cut

    @property
    def display(self) -> Display:
        """The screen that the gaze refers to."""
        return self.settings.display

    @property
    def journal_path(self) -> Path:
        """Where the recording is written while it runs."""
        return self._parts.journal_path()

    @property
    def session_path(self) -> Path:
        """Where the session file will be."""
        return self._parts.session_path

    def open(self) -> TrackerInfo:
        """Start the tracker host and the recording; first make sessions of what earlier crashes left in the folder.

        Raises:
            TrackerError: the tracker cannot be opened.
            WrongScreenError: the tracker's display area is not this screen.
            MissingPackageError: the lab streaming layer is wanted and not installed.
        """
        if self._sends_to_lsl:
            load_pylsl()  # says what is missing before anything runs
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recovered = [one for one in recover_all(self.folder) if one.session is not None]
        info = self.host.start() if not self.host.is_alive else self.host.info
        try:
            require_display_area(self.display, info.display_area_mm)
        except UserFacingError:
            self.host.close()
            raise
        try:
            self._position = self.host.start_recording(self.journal_path, self._header(info, 1))
        except TrackerError:
            self.host.close()
            raise
        self._is_recording = True
        if self._sends_to_lsl:
            self._outlet = LslOutlet(self.host)
        return info

    def _header(self, info: TrackerInfo, part: int) -> dict[str, Any]:
        return header_as_json(self._parts.header(info, part, now_ns=self.host.now_ns()))

    def _begin_part(self, seconds: float, tries: int) -> None:
        """After the host has died and come back: go on in another file. Runs on the revival's thread."""
        require_display_area(self.display, self.host.info.display_area_mm)
        part = self._parts.number + 1
        self.host.start_recording(self._parts.journal_path(part), self._header(self.host.info, part))
        before = (self.journal_path, self.session_path)
        now_ns = self.now_ns()
        continues = self._parts.name()
        facts = {"seconds": round(seconds, 3), "tries": tries}
        self._parts.number = part
        self._journal.go_on(HOST_RESTARTED, now_ns=now_ns, continues=continues, facts=facts)
        if self._journal.view is not None and self._trial_id:
            self._show(self._journal.view)
        payload = {**facts, "continues": continues}
        if self._on_restarted is not None:
            try:
                self._on_restarted()
            except UserFacingError as error:
                payload["problem"] = error.message
        self._told.append(HostEvent(HOST_RESTARTED, {"time_ns": now_ns, **payload}))
        try:
            finalise(*before)
            self.earlier_parts.append(before[1])
        except (UserFacingError, OSError):
            log.exception("%s stays as it is and is recovered later", before[0])

    def _give_up(self, error: UserFacingError) -> None:
        """The host is back, but the recording cannot go on. Runs on the revival's thread."""
        self.problem = error
        self._told.append(HostEvent(NOT_GOING_ON, {"problem": error.message, "hint": error.hint}))

    def now_ns(self) -> int:
        """Now on the clock of samples and markers."""
        return self.host.now_ns()

    # Trials -----------------------------------------------------------------------------------------------------

    def begin_trial(
        self,
        image_id: str,
        view: ImageView,
        *,
        mask: NDArray[np.bool_] | None = None,
        trial_id: str = "",
        scheduled_ns: int = 0,
        submitted_ns: int = 0,
        presented_ns: int = 0,
        frame: int = -1,
        payload: Mapping[str, Any] | None = None,
    ) -> str:
        """An image is shown; `mask` is what a simulated eye should look at. Returns the trial's id.

        Without any time given, the image counts as shown now.
        """
        self._n_trials += 1
        self._trial_id = trial_id or f"{self.session_id}-{self._n_trials:04d}"
        self._mask = mask
        self.poll()
        self._trial.begin()
        self._show(view)
        values = {**(payload or {}), "trial_id": self._trial_id, "image_id": image_id, "view": view_as_json(view)}
        self._mark(IMAGE_ONSET, values, scheduled_ns, submitted_ns, presented_ns, frame)
        return self._trial_id

    def change_view(
        self,
        view: ImageView,
        *,
        scheduled_ns: int = 0,
        submitted_ns: int = 0,
        presented_ns: int = 0,
        frame: int = -1,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """The image lies elsewhere or another slice or window is shown."""
        self._show(view)
        values = {**(payload or {}), "trial_id": self._trial_id, "view": view_as_json(view)}
        self._mark(VIEW_CHANGE, values, scheduled_ns, submitted_ns, presented_ns, frame)

    def press_key(self, key: str, *, payload: Mapping[str, Any] | None = None) -> None:
        """The annotator pressed a key."""
        self._mark(KEY_PRESS, {**(payload or {}), "trial_id": self._trial_id, "key": key}, 0, 0, 0, -1)

    def end_trial(
        self,
        *,
        scheduled_ns: int = 0,
        submitted_ns: int = 0,
        presented_ns: int = 0,
        frame: int = -1,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """The image is taken away."""
        values = {**(payload or {}), "trial_id": self._trial_id}
        self._mark(IMAGE_OFFSET, values, scheduled_ns, submitted_ns, presented_ns, frame)
        self._trial.end()
        self._trial_id = ""
        self._mask = None

    def last_trial(self) -> tuple[SessionTrial, GazeSamples]:
        """The trial that runs or has just ended, and its samples so far (with some before its onset), from memory.

        Raises:
            ValueError: no trial has begun.
        """
        self.poll()
        return self._trial.last()

    def mark(self, marker: Marker) -> None:
        """Write any other marker."""
        self._journal.mark(marker)

    def _show(self, view: ImageView) -> None:
        self._journal.view = view
        if self.host.info.is_simulated and not self.host.has_died:
            with contextlib.suppress(TrackerError):  # it has died this moment; a new one is told again
                self.host.set_scene(Scene(self.display, view, self._mask))

    def _mark(
        self, kind: str, payload: Mapping[str, Any], scheduled_ns: int, submitted_ns: int, presented_ns: int, frame: int
    ) -> None:
        if not (scheduled_ns or submitted_ns or presented_ns):
            submitted_ns = self.now_ns()
        marker = Marker(
            kind,
            payload,
            scheduled_ns=scheduled_ns,
            submitted_ns=submitted_ns,
            presented_ns=presented_ns,
            frame=frame,
        )
        self._trial.mark(marker)
        self._journal.mark(marker)

    # Time -------------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let time pass: at once with a simulated tracker of speed 0, by waiting otherwise."""
        while seconds > 0:
            step = min(seconds, POLL_S)
            if self.settings.speed == 0:
                self.host.advance(step)
            else:
                time.sleep(step / self.settings.speed)
            seconds -= step
            self.poll()

    def poll(self) -> list[OnlineFixation]:
        """Give new samples to the online detector and write what it finds; call it a few times a second."""
        rows, self._position, n_missed = self.host.read_since(self._position)
        if n_missed:
            log.warning("%d samples were not looked at while they came in; the journal has them", n_missed)
        if self._is_recording and self._revival.look():
            self._journal.note_death()
        return self._look_at(rows)

    def events(self) -> list[HostEvent]:
        """What the host said since the last call."""
        found = self.host.events()
        while self._told:
            found.append(self._told.popleft())
        return found

    def _look_at(self, rows: NDArray[np.void]) -> list[OnlineFixation]:
        if len(rows) == 0:
            return []
        self._trial.take(rows)
        if self._detector is None:
            return []
        return self._write(self._detector.push(GazeSamples.from_records(rows)))

    def _write(self, found: Sequence[OnlineFixation]) -> list[OnlineFixation]:
        for event in found:
            values = {
                "number": event.number,
                "phase": event.phase,
                "time_ns": event.time_ns,
                "onset_ns": event.onset_ns,
                "offset_ns": event.offset_ns,
                "centre_norm": list(event.centre_norm),
            }
            self._journal.write("fixation", values)
        return list(found)

    # The end ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the recording; the journal is complete afterwards. Does nothing when it has ended already.

        A host that is being started again is not waited for: what waited for it goes into a part of its own.

        Raises:
            TrackerError: the host has died.
        """
        if not self._is_recording:
            return
        self._is_recording = False
        self._revival.close()
        if self._outlet is not None:
            self._outlet.close()
            self._outlet = None
        if self._journal.is_cut:
            self._keep_what_waits()
        last = self.host.hold_recording()
        while self._position < last:
            rows, position, _ = self.host.read_since(self._position)
            self._position = position
            self._look_at(rows[: max(0, last - (position - len(rows)))])
        if self._detector is not None:
            self._write(self._detector.finish())
        self.host.stop_recording()

    def _keep_what_waits(self) -> None:
        if self._detector is not None:
            self._write(self._detector.finish())
        part = self._parts.number + 1
        path, header = self._parts.journal_path(part), self._header(self.host.info, part)
        if self._journal.keep(path, header, now_ns=self.now_ns(), continues=self._parts.name()):
            finalise(path)
        raise TrackerError(
            "The tracker host had died and was not back when the recording ended.",
            "What was recorded before is kept, and what was done since, without gaze.",
        )

    def close(self, *, keep_host: bool = False) -> SessionRecord:
        """End the recording and publish the session file. Whatever happens, the journal stays until that is proven.

        keep_host: the tracker stays open, for whoever opened it.

        Raises:
            TrackerError: the host has died; the journal is recovered by `acquisition.finalise.recover_all`.
        """
        if self._record is None:
            try:
                self.stop()
            finally:
                if not keep_host:
                    self.host.close()
            self._record = finalise(self.journal_path, self.session_path)
        return self._record

    def __enter__(self) -> RecordSession:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Publish also what an error or a cancellation cut short: nothing that was recorded is thrown away."""
        self.close()
