"""Whether somebody looks at a target now: seen, landed, and still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.geometry import ScreenPlane
from domain.calibration import Eyes, Point
from domain.gaze import GazeSamples

NEAR_TARGET_DEG = 3.0
"""A calibrated gaze must be this near to the target to count as looking at it."""

SILENT_MS = 300.0
"""Without a new sample for this long the tracker sees nobody (some models send nothing when eyes are lost)."""


@dataclass(frozen=True)
class Stability:
    """The state of the last window of gaze. eyes_seen: left, right; reason: why it does not count as stable."""

    is_stable: bool
    valid_share: float = 0.0
    dispersion_deg: float = float("nan")
    eyes_seen: tuple[bool, bool] = (False, False)
    reason: str = ""

    @property
    def is_anybody_there(self) -> bool:
        """Whether any eye was seen at all."""
        return any(self.eyes_seen)


NOBODY = Stability(False, reason="no eyes are seen")


@dataclass(frozen=True)
class StabilityGate:
    """The rule: at least `min_valid` of `window_ms` valid, landed, and within `dispersion_deg` (RMS radius).

    near_deg: how near the target gaze must be, once there is a calibration to judge by; None before.
    """

    window_ms: float = 200.0
    min_valid: float = 0.8
    dispersion_deg: float | None = 1.0
    near_deg: float | None = None
    eyes: Eyes = Eyes.BOTH

    def judge(
        self,
        samples: GazeSamples,
        plane: ScreenPlane,
        *,
        distance_mm: float,
        rate_hz: float = 0.0,
        now_ns: int | None = None,
        not_before_ns: int | None = None,
        target_norm: Point | None = None,
    ) -> Stability:
        """Judge the newest window of `samples`.

        rate_hz: nominal rate; samples that a silent tracker did not send count as lost. now_ns: the samples' clock
        now; without new samples for `SILENT_MS` nobody is seen. not_before_ns: landing is judged on a whole window
        after this moment.
        """
        window = samples[samples.time_ns > samples.time_ns[-1] - self.window_ms * 1e6] if len(samples) else samples
        if not len(window) or (now_ns is not None and now_ns - window.time_ns[-1] > SILENT_MS * 1e6):
            return NOBODY
        valid = window.gaze_valid & np.isfinite(window.gaze_norm).all(axis=-1)
        n_expected = max(len(window), round(rate_hz * self.window_ms / 1000.0 * 0.9))
        share = valid.sum(axis=0) / n_expected
        seen = (bool(valid[:, 0].any()), bool(valid[:, 1].any()))
        wanted = np.asarray(self.eyes.wanted)
        # The better eye decides: an eye that flickers would make the mean of both jump.
        eye = int(np.argmax(np.where(wanted, share, -1.0)))
        best = float(share[eye])
        if not_before_ns is not None and window.time_ns[-1] - self.window_ms * 1e6 < not_before_ns:
            return Stability(False, best, eyes_seen=seen, reason="the target has just arrived")
        if best < self.min_valid:
            return Stability(False, best, eyes_seen=seen, reason=f"only {best:.0%} of the gaze is valid")
        gaze = window.gaze_norm[valid[:, eye], eye] / np.asarray(plane.norm_per_deg(distance_mm))
        centre = gaze.mean(axis=0)
        dispersion = float(np.sqrt(np.mean(np.sum((gaze - centre) ** 2, axis=1))))
        half = len(gaze) // 2
        shift = float(np.linalg.norm(gaze[half:].mean(axis=0) - gaze[:half].mean(axis=0))) if half else 0.0
        limit = self.dispersion_deg
        if limit is not None and max(dispersion, shift) > limit:
            return Stability(False, best, dispersion, seen, "the eyes still move")
        if self.near_deg is not None and target_norm is not None:
            there = np.asarray(target_norm) / np.asarray(plane.norm_per_deg(distance_mm))
            away = float(np.linalg.norm(centre - there))
            if away > self.near_deg:
                return Stability(False, best, dispersion, seen, f"gaze is {away:.1f}° away from the target")
        return Stability(True, best, dispersion, seen)
