"""Engbert and Kliegl's saccade detection; fixations are what lies between the saccades.

Source: Engbert and Kliegl 2003, Microsaccades uncover the orientation of covert attention; thresholds are multiples of
a median-based standard deviation of the velocity, per axis, over the whole recording.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from domain.display import Display
from processing.compiled import compiled
from processing.detector import detectors
from processing.event_runs import EventRules
from processing.gaze_table import (
    AZIMUTH,
    BREAK,
    CHOSEN,
    ELEVATION,
    LABEL,
    OWN,
    SPEED,
    TIME,
    VALID,
    GazeCleaning,
    GazeTable,
    Table,
)
from processing.table_stream import TableStream

VELOCITY_X, VELOCITY_Y = OWN, OWN + 1


@dataclass(frozen=True)
class EkParameters:
    """lambda_sd: threshold in standard deviations of the velocity. shortest_ms: shorter saccades do not count.

    half_window_ms: the velocity is a mean over so much on either side (two samples at the original 500 Hz).
    """

    cleaning: GazeCleaning = field(default_factory=lambda: GazeCleaning(noise="none"))
    rules: EventRules = field(default_factory=lambda: EventRules(merge_ms=0.0, merge_deg=0.0, discard_ms=40.0))
    lambda_sd: float = 6.0
    shortest_ms: float = 6.0
    half_window_ms: float = 4.0

    def __post_init__(self) -> None:
        if min(self.lambda_sd, self.shortest_ms, self.half_window_ms) <= 0:
            raise ValueError("lambda_sd, shortest_ms and half_window_ms must be positive")


class MedianVelocityClassifier:
    """Saccade where the velocity leaves an ellipse; it is known only at the end how large that is."""

    def __init__(self, parameters: EkParameters) -> None:
        self._parameters = parameters
        self._n_labelled = 0

    def advance(self, table: GazeTable, *, is_final: bool) -> int:
        """Label everything at the end, nothing before."""
        if not is_final or self._n_labelled == table.n_ready:
            return self._n_labelled
        rows = table.rows[: table.n_ready]
        half = max(1, round(self._parameters.half_window_ms * 1e6 / table.interval_ns)) if table.interval_ns else 1
        _velocities(rows, half)
        radius_x, radius_y = (self._radius(rows[:, column]) for column in (VELOCITY_X, VELOCITY_Y))
        _classify(rows, radius_x, radius_y, self._parameters.shortest_ms * 1e6 - table.interval_ns)
        self._n_labelled = table.n_ready
        return self._n_labelled

    def n_behind(self, table: GazeTable) -> int:
        """Everything: the threshold comes from the whole recording."""
        return table.n

    def forget(self, n_rows: int) -> None:
        """Nothing is ever forgotten before the end."""

    def _radius(self, velocity: Table) -> float:
        known = velocity[np.isfinite(velocity)]
        if len(known) == 0:
            return 1.0
        spread = float(np.median(known**2) - np.median(known) ** 2)
        return self._parameters.lambda_sd * max(math.sqrt(max(spread, 0.0)), 1e-9)


@detectors.register("ek")
class Ek:
    """Saccades by a threshold from the data, fixations between them. Needs the whole recording: not for live use."""

    parameters_type = EkParameters
    presets = {"default": EkParameters()}  # noqa: RUF012 - constant table, read only

    @staticmethod
    def stream(display: Display, parameters: EkParameters) -> TableStream:
        """A detector for one run of samples; all events come at the end."""
        return TableStream(display, parameters.cleaning, parameters.rules, MedianVelocityClassifier(parameters))


@compiled
def _velocities(rows: Table, half: int) -> None:
    """Velocity per axis, degrees per second, where `half` samples on both sides belong to the same stretch."""
    n = len(rows)
    for i in range(n):
        rows[i, VELOCITY_X] = rows[i, VELOCITY_Y] = rows[i, SPEED] = np.nan
        whole = i - half >= 0 and i + half < n
        for k in range(i - half, i + half + 1):
            if not whole:
                break
            if rows[k, CHOSEN + VALID] == 0.0 or (k > i - half and rows[k, BREAK] == 1.0):
                whole = False
        if not whole:
            continue
        x = y = seconds = 0.0
        for k in range(1, half + 1):
            x += rows[i + k, AZIMUTH] - rows[i - k, AZIMUTH]
            y += rows[i + k, ELEVATION] - rows[i - k, ELEVATION]
            seconds += (rows[i + k, TIME] - rows[i - k, TIME]) * 1e-9
        rows[i, VELOCITY_X] = x / seconds
        rows[i, VELOCITY_Y] = y / seconds
        rows[i, SPEED] = np.sqrt(x * x + y * y) / seconds


@compiled
def _classify(rows: Table, radius_x: float, radius_y: float, shortest_ns: float) -> None:
    """Saccade in runs outside the ellipse that last long enough, fixation elsewhere."""
    n = len(rows)
    i = 0
    while i < n:
        if rows[i, CHOSEN + VALID] == 0.0:
            rows[i, LABEL] = 3.0
            i += 1
            continue
        end = i
        while end < n and (rows[end, VELOCITY_X] / radius_x) ** 2 + (rows[end, VELOCITY_Y] / radius_y) ** 2 > 1.0:
            end += 1
        if end > i:
            label = 2.0 if rows[end - 1, TIME] - rows[i, TIME] >= shortest_ns else 1.0
            for k in range(i, end):
                rows[k, LABEL] = label
            i = end
            continue
        rows[i, LABEL] = 1.0
        i += 1
