"""One sitting: images are looked at one after the other, and each look becomes fixations, maps and a trial."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.finalise import finalise
from acquisition.host import TrackerHost
from acquisition.tracker import TrackerSettings
from calibration.drift import DriftCorrection, DriftLog
from calibration.geometry import ScreenPlane
from domain.calibration import CalibrationRecord
from domain.display import Display
from domain.errors import TrackerError
from domain.events import CancelToken, OnProgress, no_progress
from domain.fixations import ImageFixations
from domain.gaze import GazeSamples
from domain.labels import LabelMaps, LabelParameters
from domain.study import Outcome, Protocol, TrialStatus
from domain.trial import TrialQuality, TrialRecord
from domain.view import ImageView
from processing.detector import detect
from processing.image_fixations import to_image_fixations
from processing.labels import make_label_maps, no_target_maps
from processing.refiner import Refiner, refiners
from storage.study import Study
from workflows.drift_check import correction_note, undo_correction
from workflows.gaze_quality import measure_quality, verdict_on, with_warnings
from workflows.record_session import RecordSession
from workflows.set_up_tracker import put_in_force

_log = logging.getLogger(__name__)
DETECTOR = "ivt"
RUN_UP_NS = 1_000_000_000
"""Samples before the image's onset that the detector sees too, so that a fixation in flight is known as such."""

PAUSED, RESUMED = "pause", "resume"
CLUTCH_DOWN, CLUTCH_UP = "clutch down", "clutch up"
AWAY_AFTER_S = 2.0


@dataclass(frozen=True)
class Look:
    """What was seen of one image, before anything is computed from it."""

    trial_id: str
    image_id: str
    target: str
    started_ns: int
    ended_ns: int
    views: tuple[tuple[int, ImageView], ...]
    counted: tuple[tuple[int, int], ...]
    samples: GazeSamples
    display: Display
    session_file: str
    is_simulated: bool
    outcome: Outcome = Outcome.TARGET
    correction: DriftCorrection = field(default_factory=DriftCorrection.none)


@dataclass(frozen=True)
class LookResult:
    """What came of a look: the stored trial, its maps, and what the annotator should know."""

    record: TrialRecord
    maps: LabelMaps
    verdict: str
    remarks: tuple[str, ...]
    coverage: float


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
        self.recording = RecordSession(
            study.folder / "sessions", settings, study=study.settings.name, annotator=annotator, about=about
        )
        self._keeps_host = host is not None
        if host is not None:
            self.recording.host = host
        self._position = 0
        self._parts: list[NDArray[np.void]] = []
        self._views: list[tuple[int, ImageView]] = []
        self._shut: list[tuple[int, int]] = []
        self._shut_since = 0
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
        if self.calibration is not None:
            put_in_force(self.recording.host, self.calibration)
        if self.drift.active.kind != "none":
            note = correction_note(self.drift, time_ns=self.now_ns(), reason="in force from before the session")
            self.recording.host.journal("drift_check", note)
        _, self._position, _ = self.recording.host.read_since(0)
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether a recording runs."""
        return self._is_open

    @property
    def is_alive(self) -> bool:
        """Whether the tracker's process still answers."""
        return self.recording.host.is_alive

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
        self._parts = [rows[rows["time_ns"] >= now - RUN_UP_NS] for rows in self._parts]
        self._shut_since = now if clutch else 0
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
            self._shut_since = 0
            self.recording.press_key(why)

    def poll(self) -> None:
        """Take the samples that have come; call it some times a second."""
        if not self._is_open:
            return
        rows, self._position, n_missed = self.recording.host.read_since(self._position)
        if n_missed:
            _log.warning("%d samples were missed on screen; the journal has them", n_missed)
        if len(rows):
            self._parts.append(rows)
        self.recording.poll()

    def seconds_without_eyes(self) -> float:
        """How long no eye has been seen, by the newest samples."""
        rate_hz = self.recording.host.info.rate_hz or 60.0
        rows = self.recording.host.latest(int(rate_hz * 4))
        if not len(rows):
            return 0.0
        seen = np.flatnonzero(rows["gaze_valid"].any(axis=1))
        last = rows["time_ns"][seen[-1]] if len(seen) else rows["time_ns"][0]
        return float(max(0, int(rows["time_ns"][-1]) - int(last)) / 1e9)

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
            correction=self.drift.active,
        )

    def close(self) -> None:
        """End the recording and publish the session file."""
        if self._is_open:
            self._is_open = False
            try:
                self.recording.close(keep_host=self._keeps_host)
            except TrackerError as problem:
                # The host has died: its journal is whole up to that moment.
                _log.warning("the tracker host is gone, the session is made from its journal: %s", problem)
                self.recording.host.close()
                finalise(self.recording.journal_path, self.recording.session_path)
        elif not self._keeps_host:
            self.recording.host.close()


def counted_stretches(started: int, ended: int, shut: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The parts of a look during which gaze counted: all of it but pauses and the clutch let go."""
    parts, begin = [], started
    for left, back in sorted(shut):
        if left > begin:
            parts.append((begin, left))
        begin = max(begin, back)
    if begin < ended:
        parts.append((begin, ended))
    return tuple(parts)


def image_fixations_of(look: Look, protocol: Protocol) -> ImageFixations:
    """The fixations of a look on its image, with the first moments and everything that does not count left out."""
    # Raw gaze stays as it is; a drift correction holds for what is derived from it.
    samples = look.correction.corrected(look.samples, ScreenPlane.upright(look.display))
    detection = detect(DETECTOR, samples, look.display)
    found = []
    for number, (begin, end) in enumerate(look.counted):
        part = to_image_fixations(
            detection.fixations,
            look.views,
            look.display,
            start_ns=begin,
            end_ns=end,
            ignore_first_ms=protocol.ignore_first_ms if number == 0 else 0.0,
        )
        found.append(replace(part, start_ms=part.start_ms + (begin - look.started_ns) / 1e6))
    if not found:
        return ImageFixations.empty()
    return ImageFixations(
        np.concatenate([p.xy_norm for p in found]),
        np.concatenate([p.duration_ms for p in found]),
        np.concatenate([p.start_ms for p in found]),
        np.concatenate([p.pupil for p in found]),
    )


def gaze_quality(look: Look) -> TrialQuality:
    """Loss and longest gap of a look, over the stretches that count."""
    parts = []
    for begin, end in look.counted:
        inside = (look.samples.time_ns >= begin) & (look.samples.time_ns < end)
        parts.append((end - begin, measure_quality(look.samples[inside], start_ns=begin, end_ns=end)))
    total = sum(length for length, _ in parts)
    if not total:
        return TrialQuality(loss=1.0)
    return TrialQuality(
        loss=sum(length * quality.loss for length, quality in parts) / total,
        longest_gap_s=max(quality.longest_gap_s for _, quality in parts),
        n_samples=sum(quality.n_samples for _, quality in parts),
        active_s=sum(quality.active_s for _, quality in parts),
        rate_hz=max(quality.rate_hz for _, quality in parts),
    )


class LabelMaker:
    """Makes the labels of looks; keeps what the refiner learnt of an image, prepared while it is looked at.

    Any thread may call; work on one image goes one after the other, so that a mask asked for while its image is still
    being prepared does not do the same work beside it.
    """

    def __init__(self, parameters: LabelParameters) -> None:
        self.parameters = parameters
        self._refiners: dict[str, tuple[Refiner, threading.Lock]] = {}
        self._prepared: set[str] = set()
        self._lock = threading.Lock()

    def is_prepared(self, image_id: str) -> bool:
        """Whether the refiner has seen the image."""
        return image_id in self._prepared

    def prepare(self, image_id: str, image_u8: NDArray[np.uint8], *, cancel: CancelToken | None = None) -> None:
        """Let the refiner see the image before its heatmap is known."""
        refiner, turn = self._refiner(image_id)
        blank = np.full(image_u8.shape[:2], 0.5, np.float32)
        quick = replace(self.parameters, crf_iterations=1)
        with turn:
            refiner.refine(image_u8, blank, ImageFixations.empty(), quick, on_progress=no_progress, cancel=cancel)
        self._prepared.add(image_id)

    def make(
        self,
        protocol: Protocol,
        annotator: str,
        look: Look,
        image_u8: NDArray[np.uint8],
        *,
        on_progress: OnProgress = no_progress,
        cancel: CancelToken | None = None,
    ) -> LookResult:
        """Fixations, maps and trial of a look; nothing is stored yet."""
        began = time.perf_counter()
        quality = with_warnings(gaze_quality(look), protocol)
        fixations = image_fixations_of(look, protocol)
        refiner, turn = self._refiner(look.image_id)
        if look.outcome is Outcome.NO_TARGET:
            maps = no_target_maps((image_u8.shape[1], image_u8.shape[0]), self.parameters)
        else:
            across, down = (px / look.views[-1][1].zoom for px in look.display.px_per_deg())
            with turn:
                maps = make_label_maps(
                    image_u8,
                    fixations,
                    self.parameters,
                    image_px_per_deg=(across, down),
                    refiner=refiner,
                    on_progress=on_progress,
                    cancel=cancel,
                )
        record = TrialRecord(
            trial_id=look.trial_id,
            image_id=look.image_id,
            annotator=annotator,
            target=look.target,
            outcome=look.outcome,
            status=TrialStatus.IN_PROGRESS,
            session_file=look.session_file,
            started_ns=look.started_ns,
            ended_ns=look.ended_ns,
            fixations=fixations,
            quality=replace(quality, warnings=(*quality.warnings, *maps.warnings)),
            instruction_version=protocol.instruction_version,
            view_log=look.trial_id,
            is_simulated=look.is_simulated,
        )
        _log.info("labels in %.0f ms", 1e3 * (time.perf_counter() - began))
        coverage = float(np.mean(maps.levels[-1])) if maps.levels else 0.0
        return LookResult(record, maps, verdict_on(quality, protocol), maps.warnings, coverage)

    def forget(self, image_id: str) -> None:
        """Give back what was kept for an image."""
        with self._lock:
            self._refiners.pop(image_id, None)
            self._prepared.discard(image_id)

    def _refiner(self, image_id: str) -> tuple[Refiner, threading.Lock]:
        with self._lock:
            if image_id not in self._refiners:
                while len(self._refiners) >= 2:
                    oldest = next(iter(self._refiners))
                    self._refiners.pop(oldest)
                    self._prepared.discard(oldest)
                self._refiners[image_id] = (refiners.get(self.parameters.source)(), threading.Lock())
            return self._refiners[image_id]


def store_look(study: Study, result: LookResult) -> None:
    """Keep a look in the study: its trial in the catalog, its maps as files."""
    study.save_trial(result.record)
    study.save_maps(result.record.trial_id, result.maps)
