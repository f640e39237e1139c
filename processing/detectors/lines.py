"""Straight pieces of gaze, for noisy data and where the eyes may follow something."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.display import Display
from processing.detector import detectors
from processing.event_runs import EventRules
from processing.gaze_table import LABEL, GazeCleaning
from processing.line_fit import LineClassifier, LineRules
from processing.table_stream import TableStream


@dataclass(frozen=True)
class LineParameters:
    """The line fit: how samples are made ready, what a piece costs, what becomes of short fixations."""

    cleaning: GazeCleaning = field(default_factory=lambda: GazeCleaning(noise="none"))
    lines: LineRules = field(default_factory=LineRules)
    rules: EventRules = field(default_factory=EventRules)


@detectors.register("lines")
class Lines:
    """The best division of the gaze into straight pieces; slow ones are fixations. Some 0.3 s behind when live."""

    parameters_type = LineParameters
    presets = {"default": LineParameters()}  # noqa: RUF012 - constant table, read only

    @staticmethod
    def stream(display: Display, parameters: LineParameters) -> TableStream:
        """A detector for one run of samples."""
        return TableStream(display, parameters.cleaning, parameters.rules, LineClassifier(parameters.lines, LABEL))
