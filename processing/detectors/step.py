"""Two-window step filter, for noisy data: 0.25 degrees and more."""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.display import Display
from processing.detector import detectors
from processing.event_runs import EventRules
from processing.gaze_table import LABEL, GazeCleaning
from processing.step_filter import StepClassifier, StepRules
from processing.table_stream import TableStream


@dataclass(frozen=True)
class StepParameters:
    """The step filter: how samples are made ready, what counts as a step, what becomes of short fixations."""

    cleaning: GazeCleaning = field(default_factory=lambda: GazeCleaning(noise="none"))
    steps: StepRules = field(default_factory=StepRules)
    rules: EventRules = field(default_factory=EventRules)


@detectors.register("step")
class Step:
    """Saccades as steps between two means. For noisy signals, where velocity thresholds find nothing but noise."""

    parameters_type = StepParameters
    presets = {"default": StepParameters()}  # noqa: RUF012 - constant table, read only

    @staticmethod
    def stream(display: Display, parameters: StepParameters) -> TableStream:
        """A detector for one run of samples."""
        return TableStream(display, parameters.cleaning, parameters.rules, StepClassifier(parameters.steps, LABEL))
