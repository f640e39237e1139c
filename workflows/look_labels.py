"""Labels of a look: its maps and its trial, made while the annotator waits for them."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress, no_progress
from domain.fixations import ImageFixations
from domain.labels import LabelMaps, LabelParameters
from domain.study import Outcome, Protocol, TrialStatus
from domain.trial import TrialRecord
from processing.heatmap import fixation_heatmap
from processing.labels import make_label_maps, no_target_maps
from processing.refiner import Refiner, refiners
from storage.study import Study
from workflows.correct_mask import CorrectionDesk
from workflows.edit_history import Place
from workflows.gaze_quality import judge_look, with_warnings
from workflows.look import Look, gaze_quality, image_fixations_of

_log = logging.getLogger(__name__)

MASK_THREADS = min(2, os.cpu_count() or 1)
"""Somebody waits for this mask. The tracker host has a process and a priority of its own; the result is the same."""


@dataclass(frozen=True)
class LookResult:
    """What came of a look: the stored trial, its maps, and what the annotator should know.

    coverage: the share of the image that the mask covers, which is the first level.
    """

    record: TrialRecord
    maps: LabelMaps
    verdict: str
    remarks: tuple[str, ...]
    coverage: float


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
            with turn:
                maps = make_label_maps(
                    image_u8,
                    fixations,
                    self.parameters,
                    image_px_per_deg=_image_px_per_deg(look),
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
        return _result(record, maps, protocol)

    def draft(self, protocol: Protocol, look: Look) -> LabelMaps:
        """The levels of the heatmap alone, there in some milliseconds: shown until `make` is done, never stored."""
        size = look.views[-1][1].image_size
        if look.outcome is Outcome.NO_TARGET:
            return no_target_maps(size, self.parameters)
        fixations = image_fixations_of(look, protocol)
        heatmap = fixation_heatmap(fixations, size, self.parameters, image_px_per_deg=_image_px_per_deg(look))
        return LabelMaps(heatmap, heatmap, self.parameters)

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
                refiner = refiners.get(self.parameters.source)(threads=MASK_THREADS)
                self._refiners[image_id] = (refiner, threading.Lock())
            return self._refiners[image_id]


def _image_px_per_deg(look: Look) -> tuple[float, float]:
    across, down = look.display.px_per_deg()
    zoom = look.views[-1][1].zoom
    return across / zoom, down / zoom


def _result(record: TrialRecord, maps: LabelMaps, protocol: Protocol) -> LookResult:
    coverage = float(np.mean(maps.levels[0])) if maps.levels else 0.0
    found = judge_look(record, maps, protocol)
    return LookResult(record, maps, found.verdict, found.remarks, coverage)


def read_look(desk: CorrectionDesk, place: Place) -> LookResult | None:
    """The newest look of an annotator at an image as `store_look` kept it; None where none has maps."""
    trial, maps = desk.newest_look(place)
    if trial is None or maps is None or not maps.levels:
        return None
    if trial.outcome is Outcome.NO_TARGET and np.any(maps.levels[0]):
        trial = replace(trial, outcome=Outcome.TARGET)  # what was said of its mask is open again
    return _result(trial, maps, desk.study.settings.protocol)


def store_look(study: Study, result: LookResult) -> None:
    """Keep a look in the study: its trial in the catalog, its maps as files."""
    study.save_trial(result.record)
    study.save_maps(result.record.trial_id, result.maps)
