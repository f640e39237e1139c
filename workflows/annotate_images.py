"""One sitting: images are looked at one after the other, and each look becomes fixations, maps and a trial."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.finalise import finalise
from acquisition.host import TrackerHost
from acquisition.tracker import TrackerSettings
from calibration.drift import DriftLog
from domain.calibration import CalibrationRecord
from domain.errors import TrackerError, UserFacingError
from domain.gaze import GazeSamples
from domain.study import Outcome
from domain.view import ImageView
from storage.study import Study
from workflows.drift_check import correction_note, undo_correction
from workflows.look import Look, counted_stretches
from workflows.record_session import RecordSession
from workflows.set_up_tracker import put_in_force

_log = logging.getLogger(__name__)
RUN_UP_NS = 1_000_000_000
"""Samples before the image's onset that the detector sees too, so that a fixation in flight is known as such."""

PAUSED, RESUMED = "pause", "resume"
CLUTCH_DOWN, CLUTCH_UP = "clutch down", "clutch up"
BEHIND, IN_FRONT = "window behind", "window in front"
AWAY_AFTER_S = 2.0
SILENT_AFTER_S = 1.0
"""No sample at all for so long: the tracker is silent, it is not that nobody looks."""


class AnnotationSession:
    """Records one sitting. Times are those of the tracker host; nothing here waits except `open` and `close`."""

    def __init__(
        self,
        study: Study,
        annotator: str,
        settings: TrackerSettings,
        *,
        host: TrackerHost | None = None,
        about: Mapping[str, Any] | None = None,
        calibration: CalibrationRecord | None = None,
        drift: DriftLog | None = None,
    ) -> None:
        self.study = study
        self.calibration = calibration
        self.drift = drift if drift is not None else DriftLog()
        self.annotator = annotator
        self._settings, self._about = settings, dict(about or {})
        self.recording = self._new_recording()
        self._keeps_host = host is not None
        if host is not None:
            self.recording.host = host
        self._position = 0
        self._parts: list[NDArray[np.void]] = []
        self._views: list[tuple[int, ImageView]] = []
        self._shut: list[tuple[int, int]] = []
        self._shut_since = 0
        self._counts_since = 0
        self._behind: list[tuple[int, int]] = []
        self._behind_since = 0
        self._acted: list[int] = []
        self._current: tuple[str, str, str, int] | None = None
        self._is_open = False

    def open(self) -> None:
        """Open the tracker and begin the session's journal; takes a second or two.

        Raises:
            NotAllowedError: somebody else is signed in to the study.
            TrackerError: the tracker cannot be opened.
        """
        self.study.require("annotate", own=self.annotator)
        self.recording.open()
        self._put_in_force()
        _, self._position, _ = self.recording.host.read_since(0)
        self._parts = []
        self._is_open = True

    def _put_in_force(self) -> None:
        """Calibration and drift correction, at the beginning and after the host had to be started again."""
        if self.calibration is not None:
            put_in_force(self.recording.host, self.calibration)
        if self.drift.active.kind != "none":
            note = correction_note(self.drift, time_ns=self.now_ns(), reason="in force from before the session")
            self.recording.host.journal("drift_check", note)

    def reconnect(self) -> None:
        """Open a tracker that was lost anew. What was recorded is published; what follows goes into a new session file.

        Raises:
            TrackerError: the tracker cannot be opened.
        """
        self.end_recording()
        self.recording = self._new_recording()
        self.open()

    @property
    def is_open(self) -> bool:
        """Whether a recording runs."""
        return self._is_open

    @property
    def is_alive(self) -> bool:
        """Whether the tracker's process answers and what it sees is recorded."""
        return self.recording.host.is_alive and not self.recording.is_cut

    @property
    def problem(self) -> UserFacingError | None:
        """Why the recording cannot go on though the tracker is back; it can be connected anew when that is mended."""
        return self.recording.problem

    @property
    def is_simulated(self) -> bool:
        """Whether no person looks."""
        return self.recording.host.info.is_simulated

    def undo_drift(self) -> None:
        """Take the newest drift correction back, for what follows.

        Raises:
            UserFacingError: none is in force.
        """
        self.recording.host.journal("drift_check", undo_correction(self.drift, time_ns=self.now_ns()))

    def now_ns(self) -> int:
        """Now on the clock of the samples."""
        return self.recording.now_ns()

    # one image

    def begin(self, image_id: str, target: str, view: ImageView, *, presented_ns: int = 0, clutch: bool = False) -> str:
        """The image is on the screen since `presented_ns`. With `clutch`, gaze counts only while a key is held."""
        now = presented_ns or self.now_ns()
        truth = self.study.ground_truth(image_id) if self.is_simulated else None
        trial_id = self.recording.begin_trial(
            image_id,
            view,
            mask=truth if truth is not None and truth.any() else None,
            presented_ns=now,
            payload={
                "target": target,
                "instruction": self.study.settings.protocol.instruction,
                "instruction_version": self.study.settings.protocol.instruction_version,
                "mode": "clutch" if clutch else "continuous",
            },
        )
        self._views, self._shut = [(now, view)], []
        self._forget_before(now - RUN_UP_NS)
        self._shut_since = now if clutch else 0
        self._counts_since, self._acted = now, []
        self._behind = []
        self._behind_since = now if self._behind_since else 0
        self._current = (trial_id, image_id, target, now)
        return trial_id

    def change_view(self, view: ImageView, *, payload: Mapping[str, Any] | None = None) -> None:
        """The image lies elsewhere, or another slice or grey window is shown."""
        if self._current is not None:
            now = self.now_ns()
            self._views.append((now, view))
            self.recording.change_view(view, presented_ns=now, payload=payload)

    def shut(self, why: str) -> None:
        """From now on gaze does not count (pause, clutch let go)."""
        if self._current is not None and not self._shut_since:
            self._shut_since = self.now_ns()
            self.recording.press_key(why)

    def reopen(self, why: str) -> None:
        """From now on gaze counts again."""
        if self._current is not None and self._shut_since:
            now = self.now_ns()
            self._shut.append((self._shut_since, now))
            self._shut_since, self._counts_since = 0, now
            self.recording.press_key(why)

    def set_in_front(self, *, is_in_front: bool) -> None:
        """Another window came over the image, or went: time behind it is no active time."""
        if is_in_front == (self._behind_since == 0) or not self._is_open:
            return
        now = self.now_ns()
        if is_in_front:
            self._behind.append((self._behind_since, now))
        self._behind_since = 0 if is_in_front else now
        if self._current is not None:
            self.recording.press_key(IN_FRONT if is_in_front else BEHIND)

    def note_action(self) -> None:
        """A key or the pointer was used while an image is looked at."""
        if self._current is not None:
            self._acted.append(self.now_ns())

    def poll(self) -> None:
        """Take the samples that have come; call it some times a second. It also brings a dead tracker host back."""
        if not self._is_open:
            return
        rows, self._position, n_missed = self.recording.host.read_since(self._position)
        if n_missed:
            _log.warning("%d samples were missed on screen; the journal has them", n_missed)
        if len(rows):
            self._parts.append(rows)
            if self._current is None:  # between images only the run-up of the next is needed
                self._forget_before(int(rows["time_ns"][-1]) - RUN_UP_NS)
        self.recording.poll()

    def _forget_before(self, time_ns: int) -> None:
        self._parts = [rows for rows in self._parts if rows["time_ns"][-1] >= time_ns]

    def seconds_without_eyes(self) -> float:
        """How long no eye has been seen, by the clock of the samples: also when none come at all."""
        rate_hz = self.recording.host.info.rate_hz or 60.0
        rows = self.recording.host.latest(int(rate_hz * 4))
        seen_ns = rows["time_ns"][rows["gaze_valid"].any(axis=1)]
        last_ns = max(int(seen_ns[-1]) if len(seen_ns) else 0, self._counts_since)
        return max(0, self.now_ns() - last_ns) / 1e9

    @property
    def is_silent(self) -> bool:
        """Whether no sample came for a while: the tracker is the trouble, not the eyes."""
        rows = self.recording.host.latest(1)
        last_ns = max(int(rows["time_ns"][-1]) if len(rows) else 0, self._counts_since)
        return self.now_ns() - last_ns >= SILENT_AFTER_S * 1e9

    def key(self, name: str) -> None:
        """A key was pressed: into the journal."""
        if self._is_open:
            self.recording.press_key(name)

    def end(self, *, outcome: Outcome = Outcome.TARGET) -> Look:
        """The image is taken away; what was seen of it.

        Raises:
            RuntimeError: no image is being looked at.
        """
        if self._current is None:
            raise RuntimeError("no image is being looked at")
        trial_id, image_id, target, started = self._current
        ended = self.now_ns()
        if self._shut_since:
            self._shut.append((self._shut_since, ended))
            self._shut_since = 0
        if self._behind_since:
            self._behind.append((self._behind_since, ended))
        with contextlib.suppress(TrackerError):
            self.poll()
            self.recording.end_trial(presented_ns=ended, payload={"outcome": outcome.value})
        self._current = None
        records = (
            np.concatenate(self._parts) if self._parts else np.zeros(0, dtype=GazeSamples.empty().to_records().dtype)
        )
        inside = (records["time_ns"] >= started - RUN_UP_NS) & (records["time_ns"] <= ended)
        return Look(
            trial_id=trial_id,
            image_id=image_id,
            target=target,
            started_ns=started,
            ended_ns=ended,
            views=tuple(self._views),
            counted=counted_stretches(started, ended, self._shut),
            samples=GazeSamples.from_records(records[inside]),
            display=self.recording.display,
            session_file=f"sessions/{self.recording.session_path.name}",
            is_simulated=self.is_simulated,
            outcome=outcome,
            behind=tuple(self._behind),
            acted_ns=tuple(self._acted),
            correction=self.drift.active,
        )

    def close(self) -> None:
        """End the recording and publish the session file."""
        if self._is_open:
            self.end_recording()
        elif not self._keeps_host:
            self.recording.host.close()

    def end_recording(self) -> None:
        """Publish what was recorded; a tracker that somebody else opened stays open while it lives."""
        if not self._is_open:
            return
        self._is_open = False
        self._current = None
        try:
            self.recording.close(keep_host=self._keeps_host)
        except TrackerError as problem:
            # The host has died: its journal is whole up to that moment.
            _log.warning("the tracker host is gone, the session is made from its journal: %s", problem)
            self.recording.host.close()
            finalise(self.recording.journal_path, self.recording.session_path)

    def _new_recording(self) -> RecordSession:
        return RecordSession(
            self.study.folder / "sessions",
            self._settings,
            study=self.study.settings.name,
            annotator=self.annotator,
            about=self._about,
            on_restarted=self._put_in_force,
        )
