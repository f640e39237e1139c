"""A drift correction in words: how far and where to it moves the gaze."""

from __future__ import annotations

import math

from app.texts import tr
from calibration.drift import DriftCorrection
from domain.display import Display
from workflows.annotate_images import AnnotationSession


def drift_words(correction: DriftCorrection, display: Display) -> str:
    """For example: Gaze is shifted by 0.8°. Empty where nothing is corrected."""
    if correction.kind == "none":
        return ""
    across, down = (
        share * size / per_deg
        for share, size, per_deg in zip(correction.shift_norm(), display.size_px, display.px_per_deg(), strict=True)
    )
    words = tr("Gaze is shifted by {deg:.1f}°")
    if correction.kind == "affine":
        words = tr("Gaze is shifted by {deg:.1f}° and fitted to five dots")
    return words.format(deg=math.hypot(across, down))


def stage_note(session: AnnotationSession) -> str:
    """What is to be known of the gaze that is recorded: whether it is corrected, and whether it is simulated."""
    correction = drift_words(session.drift.active, session.recording.display)
    return " · ".join(filter(None, (correction, tr("simulated gaze") if session.is_simulated else "")))
