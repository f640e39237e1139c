"""Chooses between I-VT and the line fit by the noise it measures, second by second."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from domain.display import Display
from processing.detector import detectors
from processing.event_runs import EventRules
from processing.gaze_table import LABEL, OWN, GazeCleaning, GazeTable
from processing.line_fit import LineClassifier, LineRules
from processing.noise_meter import NoiseMeter
from processing.table_stream import TableStream
from processing.velocity import VelocityClassifier, window_samples

LINE_LABEL = OWN + 4
MEDIAN_3_SD = 0.67
"""Standard deviation of the median of three normal values, in units of theirs."""


@dataclass(frozen=True)
class AutoParameters:
    """I-VT where the noise of its velocity stays below `gate` times its threshold, the line fit elsewhere."""

    cleaning: GazeCleaning = field(default_factory=GazeCleaning)
    rules: EventRules = field(default_factory=EventRules)
    lines: LineRules = field(default_factory=LineRules)
    window_ms: float = 20.0
    threshold_deg_s: float = 30.0
    gate: float = 0.35


class AutoClassifier:
    """Labels of whichever method suits the noise of each second."""

    def __init__(self, parameters: AutoParameters) -> None:
        self._parameters = parameters
        self._velocity = VelocityClassifier(parameters.window_ms, parameters.threshold_deg_s, LABEL)
        self._noise = NoiseMeter()
        self._lines = LineClassifier(parameters.lines, LINE_LABEL, noise=self._noise, is_wanted=self._is_noisy)
        self._done = 0

    def advance(self, table: GazeTable, *, is_final: bool) -> int:
        """Label the rows for which both methods, and the noise, are known."""
        n = min(
            self._velocity.advance(table, is_final=is_final),
            self._lines.advance(table, is_final=is_final),
        )
        while self._done < n:
            found = self._noise.stretch(table, self._done, is_final=is_final)
            if found is None:
                break
            noise_deg, end = found
            end = min(end, n)
            if self._is_noisy(noise_deg, table.interval_ns):
                table.rows[self._done : end, LABEL] = table.rows[self._done : end, LINE_LABEL]
            self._done = end
        return self._done

    def n_behind(self, table: GazeTable) -> int:
        """As many as either method."""
        return max(self._velocity.n_behind(table), self._lines.n_behind(table))

    def forget(self, n_rows: int) -> None:
        """Follow the table."""
        self._velocity.forget(n_rows)
        self._lines.forget(n_rows)
        self._done -= n_rows

    def _is_noisy(self, noise_deg: float, interval_ns: float) -> bool:
        """Whether the noise of I-VT's velocity, per axis, comes too near to its threshold."""
        if interval_ns <= 0:
            return False
        span_s = (window_samples(self._parameters.window_ms, interval_ns) - 1) * interval_ns / 1e9
        smoothed = MEDIAN_3_SD if self._parameters.cleaning.noise != "none" else 1.0
        velocity_noise = math.sqrt(2.0) * noise_deg * smoothed / span_s
        return velocity_noise >= self._parameters.gate * self._parameters.threshold_deg_s


@detectors.register("auto")
class Auto:
    """Tobii's I-VT on a good signal, the line fit on a noisy one."""

    parameters_type = AutoParameters
    presets = {"default": AutoParameters()}  # noqa: RUF012 - constant table, read only

    @staticmethod
    def stream(display: Display, parameters: AutoParameters) -> TableStream:
        """A detector for one run of samples."""
        return TableStream(display, parameters.cleaning, parameters.rules, AutoClassifier(parameters))
