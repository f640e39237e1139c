"""Compile the loops of the label path once, in a process of its own, so that the first mask does not wait for it."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import numpy as np

from domain.display import Display
from domain.events import CancelToken, OnProgress, no_progress
from domain.fixations import ImageFixations
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.labels import LabelParameters
from processing.detector import detect
from processing.labels import make_label_maps

_log = logging.getLogger(__name__)
_PATIENCE_S = 300


def label_once(source: str = "crf") -> None:
    """Run the whole way from samples to maps on next to nothing."""
    records = np.zeros(120, SAMPLE_RECORD)
    records["time_ns"] = np.arange(120) * 16_666_667
    records["gaze_norm"] = 0.5
    records["gaze_valid"] = 1
    detect("ivt", GazeSamples.from_records(records), Display((1920, 1080), (527.0, 296.0)))
    fixations = ImageFixations(np.array([[0.5, 0.5]]), np.array([300.0]), np.array([0.0]), np.array([np.nan]))
    image = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    make_label_maps(image, fixations, LabelParameters(source=source))


def warm_up(source: str = "crf", *, on_progress: OnProgress = no_progress, cancel: CancelToken | None = None) -> None:
    """Let another process compile into the cache on disk, then load it here; a failure costs only time later."""
    began = time.perf_counter()
    if not getattr(sys, "frozen", False):
        process = subprocess.Popen(
            [sys.executable, "-m", "workflows.warm_up", source], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            if time.perf_counter() - began > _PATIENCE_S or (cancel is not None and cancel.is_cancelled):
                process.kill()
                process.wait()
                break
            time.sleep(0.05)
    if cancel is not None:
        cancel.raise_if_cancelled()
    label_once(source)
    _log.info("label path ready after %.1f s", time.perf_counter() - began)


if __name__ == "__main__":
    label_once(*sys.argv[1:2])
