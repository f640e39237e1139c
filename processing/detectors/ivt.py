"""Tobii's I-VT: velocity threshold identification with gap fill, noise reduction, merging and discarding.

Source: Olsen 2012, The Tobii I-VT Fixation Filter; details as Tobii Pro Lab 24.21's own labels show them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.display import Display
from processing.detector import detectors
from processing.event_runs import EventRules
from processing.gaze_table import LABEL, GazeCleaning
from processing.table_stream import TableStream
from processing.velocity import VelocityClassifier


@dataclass(frozen=True)
class IvtParameters:
    """The I-VT filter. The defaults are Tobii Pro Lab's preset I-VT (Fixation).

    window_ms: over which the velocity is measured. threshold_deg_s: below it the eye rests.
    """

    cleaning: GazeCleaning = field(default_factory=GazeCleaning)
    rules: EventRules = field(default_factory=EventRules)
    window_ms: float = 20.0
    threshold_deg_s: float = 30.0

    def __post_init__(self) -> None:
        if self.window_ms <= 0 or self.threshold_deg_s <= 0:
            raise ValueError("window_ms and threshold_deg_s must be positive")


@detectors.register("ivt")
class Ivt:
    """Tobii's I-VT. For good signals: noise up to about 0.15 degrees."""

    parameters_type = IvtParameters
    presets = {  # noqa: RUF012 - constant table, read only
        "tobii": IvtParameters(),
        "white paper": IvtParameters(cleaning=GazeCleaning(gap_fill_ms=75.0, noise="none")),
        "attention": IvtParameters(threshold_deg_s=100.0),
    }

    @staticmethod
    def stream(display: Display, parameters: IvtParameters) -> TableStream:
        """A detector for one run of samples."""
        classifier = VelocityClassifier(parameters.window_ms, parameters.threshold_deg_s, LABEL)
        return TableStream(display, parameters.cleaning, parameters.rules, classifier)
