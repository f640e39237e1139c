"""A generative pair of eyes: simulated gaze with known truth, sample by sample and the same for every chunk size."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.gaze_plan import LATENCY_S, UNDERSHOOT, GazePlan
from acquisition.noise import ColouredNoise
from domain.display import Display
from domain.gaze import LEFT, RIGHT, SAMPLE_RECORD
from domain.scene import Scene

V_MAX_DEG_S, C_DEG = 600.0, 10.0
"""Main sequence: peak velocity V_MAX (1 - exp(-amplitude / C)); usual ranges 500-600 deg/s and 10-14 deg."""

PUPILS_APART_MM = 63.0

LID_DOWN, LID_UP = 0.3, 0.45
"""Shares of a blink in which the lids close and open; they open more slowly than they close."""

LOST_AT = 0.6
"""Share of closing from which the pupil cannot be seen any more."""

LOST_FROM, LOST_UNTIL = LID_DOWN * LOST_AT, 1.0 - LID_UP * LOST_AT

CORRECTED_AFTER_S, CORRECTION_LATENCY_S = 0.9, 0.15
"""Looks longer than this are put right by a corrective saccade, which follows the first after 130-170 ms."""


@dataclass(frozen=True)
class EyeParameters:
    """How the simulated eyes behave. Angles in degrees of visual angle, times in seconds.

    offset_deg (left x, left y, right x, right y), gain: error of an uncalibrated tracker; calibration removes it.
    noise_deg: standard deviation of the measurement noise per axis, white and 1/f in equal parts of power.
    """

    offset_deg: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    gain: tuple[float, float] = (1.0, 1.0)
    noise_deg: float = 0.12
    drift_deg: float = 0.06
    microsaccades_per_s: float = 1.2
    microsaccade_deg: float = 0.25
    blinks_per_min: float = 14.0
    blink_s: tuple[float, float] = (0.1, 0.3)
    losses_per_min: float = 3.0
    loss_s: float = 0.06
    sway_mm: float = 6.0
    pupil_mm: float = 3.6
    device_drift_ppm: float = 30.0
    device_epoch_us: int = 491_999_899

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> EyeParameters:
        """The parameters among a driver's options; lists become tuples."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items() if k in known}
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class TrueFixation:
    """What the eye really did: a fixation between two saccades."""

    onset_s: float
    offset_s: float
    point_norm: tuple[float, float]


@dataclass(frozen=True)
class _Movement:
    """From one point to another between two times (a saccade, or no movement at all), millimetres on the screen."""

    start_s: float
    end_s: float
    from_mm: NDArray[np.float64]
    to_mm: NDArray[np.float64]
    amplitude_deg: float = 0.0


class SimulatedEye:
    """Gaze samples of two eyes at a fixed rate; what they look at comes from scenes."""

    def __init__(self, display: Display, rate_hz: float, *, seed: int, parameters: EyeParameters | None = None) -> None:
        self.display = display
        self.rate_hz = rate_hz
        self.parameters = parameters or EyeParameters()
        self.truth: deque[TrueFixation] = deque(maxlen=200_000)
        self.correction = np.tile(np.array([1.0, 0.0]), (2, 2, 1))  # eye, axis, (gain, offset in mm) of the calibration
        seeds = np.random.SeedSequence(seed).spawn(4)
        self._plan_rng, self._event_rng = np.random.default_rng(seeds[0]), np.random.default_rng(seeds[1])
        self._noise = ColouredNoise(np.random.default_rng(seeds[2]), rate_hz, n_channels=12)
        self._n = 0
        self._plan = GazePlan(None, self._plan_rng)
        self._centre_mm = np.asarray(display.size_mm) / 2.0
        self._at_mm = self._centre_mm.copy()
        self._moves: deque[_Movement] = deque()
        self._planned_s = 0.0
        self._rest_since_s = 0.0
        self._blinks = _Intervals(self._event_rng, self.parameters.blinks_per_min / 60.0)
        self._losses = [
            _Intervals(np.random.default_rng(s), self.parameters.losses_per_min / 60.0) for s in seeds[3].spawn(2)
        ]
        self._micro_rng = np.random.default_rng(seeds[3].spawn(1)[0])
        self._px_per_deg_mm = 2.0 * display.distance_mm * np.tan(np.radians(0.5))

    @property
    def time_s(self) -> float:
        """Time of the next sample."""
        return self._n / self.rate_hz

    def set_scene(self, scene: Scene | None) -> None:
        """Something new is on the screen: the eyes answer after their latency."""
        self._plan = GazePlan(scene, self._plan_rng)
        latency = float(self._plan_rng.uniform(*LATENCY_S))
        now = self.time_s
        # A saccade under way is finished; what was planned after it is given up.
        kept = [move for move in self._moves if move.start_s <= now]
        if kept and kept[-1].amplitude_deg == 0.0:
            kept[-1] = replace(kept[-1], end_s=min(kept[-1].end_s, now))  # a rest is broken off, a saccade is not
        self._moves = deque(kept)
        if kept:
            self._at_mm = kept[-1].to_mm
            self._planned_s = kept[-1].end_s
        else:
            self._planned_s = min(self._planned_s, now)
        self._hold(max(now, self._planned_s) + latency)

    def generate(self, n: int) -> NDArray[np.void]:
        """The next n samples as rows of `SAMPLE_RECORD`; device stamps and values set, host times left at 0."""
        p = self.parameters
        times = (self._n + np.arange(n)) / self.rate_hz
        self._n += n
        if n:
            self._forget_before(float(times[0]) - 1.0)
            self._plan_until(float(times[-1]))
        noise = self._noise.take(n)  # (n, 12): 4 white-and-pink gaze, 2 drift, 2 sway, 2 pupil, 2 spare
        target = self._path(times)
        target += noise[:, 4:6] * (p.drift_deg * self._px_per_deg_mm)
        sway = noise[:, 6:8] * p.sway_mm
        closed = self._lid(times)
        rows = np.zeros(n, SAMPLE_RECORD)
        size_mm = np.asarray(self.display.size_mm)
        for eye in (LEFT, RIGHT):
            error = noise[:, 2 * eye : 2 * eye + 2] * (p.noise_deg * self._px_per_deg_mm)
            lost = self._losses[eye].covers(times, lambda rng: float(rng.exponential(p.loss_s)))
            seen = self._as_measured(target, eye) + error
            # A closing lid hides the upper part of the pupil: gaze seems to fall before it is lost.
            seen[:, 1] += 25.0 * np.clip(closed, 0.0, LOST_AT)
            is_open = (closed < LOST_AT) & ~lost
            rows["gaze_norm"][:, eye] = np.where(is_open[:, None], seen / size_mm, np.nan)
            plane = np.column_stack([seen[:, 0] - size_mm[0] / 2.0, size_mm[1] - seen[:, 1], np.zeros(n)])
            rows["gaze_mm"][:, eye] = np.where(is_open[:, None], plane, np.nan)
            side = -PUPILS_APART_MM / 2.0 if eye == LEFT else PUPILS_APART_MM / 2.0
            rows["origin_mm"][:, eye, 0] = np.where(lost, np.nan, side + sway[:, 0])
            rows["origin_mm"][:, eye, 1] = np.where(lost, np.nan, size_mm[1] / 2.0 + sway[:, 1])
            rows["origin_mm"][:, eye, 2] = np.where(lost, np.nan, self.display.distance_mm)
            pupil = p.pupil_mm + 0.25 * noise[:, 8 + eye]
            rows["pupil_mm"][:, eye] = np.where(is_open, pupil, np.nan)
            rows["openness_mm"][:, eye] = np.where(lost, np.nan, 10.0 * (1.0 - closed))
            rows["gaze_valid"][:, eye] = rows["pupil_valid"][:, eye] = is_open
            rows["origin_valid"][:, eye] = rows["openness_valid"][:, eye] = ~lost
        elapsed_us = times * 1e6 * (1.0 + p.device_drift_ppm * 1e-6)
        rows["device_us"] = p.device_epoch_us + np.rint(elapsed_us).astype(np.int64)
        return rows

    def visible_fixations(self, *, shortest_s: float = 0.06) -> list[TrueFixation]:
        """The true fixations as far as open eyes show them: a blink divides one, as it does for a person who labels.

        Between the lids' passing of the point at which gaze is lost there is nothing to see; parts shorter than
        `shortest_s` (the I-VT filter's shortest fixation) are no fixations.
        """
        shut = [(at + LOST_FROM * length, at + LOST_UNTIL * length) for at, length in self._blinks.history]
        parts = []
        for fixation in self.truth:
            onset = fixation.onset_s
            for start, stop in shut:
                if start < fixation.offset_s and stop > onset:
                    parts.append((onset, start, fixation.point_norm))
                    onset = stop
            parts.append((onset, fixation.offset_s, fixation.point_norm))
        return [TrueFixation(*part) for part in parts if part[1] - part[0] >= shortest_s]

    def measured_at(self, point_norm: tuple[float, float], eye: int) -> NDArray[np.float64]:
        """Where an uncalibrated tracker sees an eye that looks at a point, millimetres, without noise."""
        return np.asarray(self._uncalibrated(self.display.mm_from_norm(point_norm)[None], eye)[0], np.float64)

    def where(self) -> tuple[float, float]:
        """The point of the display area that the eyes look at now."""
        x, y = self._path(np.array([self.time_s]))[0] / np.asarray(self.display.size_mm)
        return (float(x), float(y))

    def _uncalibrated(self, at_mm: NDArray[np.float64], eye: int) -> NDArray[np.float64]:
        offset = np.asarray(self.parameters.offset_deg[2 * eye : 2 * eye + 2]) * self._px_per_deg_mm
        gain = np.asarray(self.parameters.gain)
        return np.asarray((at_mm - self._centre_mm) * gain + self._centre_mm + offset, np.float64)

    def _as_measured(self, at_mm: NDArray[np.float64], eye: int) -> NDArray[np.float64]:
        raw = self._uncalibrated(at_mm, eye)
        return np.asarray(raw * self.correction[eye, :, 0] + self.correction[eye, :, 1], np.float64)

    # The path ---------------------------------------------------------------------------------------------------

    def _hold(self, until_s: float) -> None:
        self._moves.append(_Movement(self._planned_s, until_s, self._at_mm, self._at_mm))
        self._planned_s = until_s

    def _plan_until(self, time_s: float) -> None:
        while self._planned_s <= time_s:
            look = self._plan.next_look()
            goal = self.display.mm_from_norm(look.point_norm)
            self._saccade_to(self._at_mm + (goal - self._at_mm) * self._reach(goal))
            if look.duration_s > CORRECTED_AFTER_S and self._angle(goal) > 0.2:
                # Whoever stays to look sees that the saccade fell short and makes a second, small one.
                self._hold(self._planned_s + CORRECTION_LATENCY_S)
                self._saccade_to(goal)
            self._fixate(look.duration_s)

    def _forget_before(self, time_s: float) -> None:
        while len(self._moves) > 2 and self._moves[1].end_s < time_s:
            self._moves.popleft()

    def _reach(self, goal: NDArray[np.float64]) -> float:
        """Large saccades fall a little short."""
        return 1.0 - UNDERSHOOT * float(self._plan_rng.uniform(0.0, 1.0)) if self._angle(goal) > 5.0 else 1.0

    def _angle(self, goal: NDArray[np.float64]) -> float:
        a = np.append(self._at_mm - self._centre_mm, self.display.distance_mm)
        b = np.append(goal - self._centre_mm, self.display.distance_mm)
        return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), np.dot(a, b))))

    def _saccade_to(self, goal: NDArray[np.float64]) -> None:
        amplitude = self._angle(goal)
        start = self._planned_s
        if amplitude > 0.05:
            self.truth.append(TrueFixation(self._rest_since_s, start, self._norm(self._at_mm)))
            duration = (2.2 * amplitude + 21.0) / 1000.0
            self._moves.append(_Movement(start, start + duration, self._at_mm, goal, amplitude))
            self._planned_s = start + duration
            self._rest_since_s = self._planned_s
            self._at_mm = goal

    def _fixate(self, duration_s: float) -> None:
        """Stay, with small saccades that go off and come back."""
        end = self._planned_s + duration_s
        p = self.parameters
        home = self._at_mm
        while p.microsaccades_per_s > 0:
            pause = float(self._micro_rng.exponential(1.0 / p.microsaccades_per_s))
            if self._planned_s + pause + 0.05 >= end:
                break
            self._hold(self._planned_s + pause)
            angle = self._micro_rng.uniform(0, 2 * np.pi)
            step = p.microsaccade_deg * self._px_per_deg_mm * self._micro_rng.rayleigh(0.6)
            goal = home + step * np.array([np.cos(angle), 0.5 * np.sin(angle)])
            amplitude = self._angle(goal)
            duration = (2.2 * amplitude + 21.0) / 1000.0
            self._moves.append(_Movement(self._planned_s, self._planned_s + duration, self._at_mm, goal, amplitude))
            self._planned_s += duration
            self._at_mm = goal
        self._hold(end)

    def _norm(self, at_mm: NDArray[np.float64]) -> tuple[float, float]:
        x, y = at_mm / np.asarray(self.display.size_mm)
        return (float(x), float(y))

    def _path(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.tile(self._at_mm, (len(times), 1))
        for move in self._moves:
            if len(times) and move.start_s > times[-1]:
                break
            first, last = np.searchsorted(times, [move.start_s, move.end_s])
            if first == last:
                continue
            if move.amplitude_deg == 0.0:
                out[first:last] = move.to_mm
                continue
            tau = (times[first:last] - move.start_s) / (move.end_s - move.start_s)
            share = saccade_profile(tau, move.amplitude_deg)
            out[first:last] = move.from_mm + share[:, None] * (move.to_mm - move.from_mm)
        return out

    # Lids -------------------------------------------------------------------------------------------------------

    def _lid(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the lids are closed, 0-1: down in a third of the blink, up in the rest."""
        closed = np.zeros(len(times))
        low, high = self.parameters.blink_s
        for start, length in self._blinks.during(times, lambda rng: float(rng.uniform(low, high))):
            tau = (times - start) / length
            inside = (tau >= 0) & (tau <= 1)
            down = np.clip(tau / LID_DOWN, 0, 1)
            up = np.clip((1 - tau) / LID_UP, 0, 1)
            closed = np.where(inside, np.maximum(closed, np.minimum(down, up)), closed)
        return closed


class _Intervals:
    """Things that begin at random and last a while, drawn in order of time whatever is asked for."""

    def __init__(self, rng: np.random.Generator, per_s: float) -> None:
        self._rng = rng
        self._per_s = per_s
        self._next_s = float(rng.exponential(1.0 / per_s)) if per_s > 0 else np.inf
        self._known: deque[tuple[float, float]] = deque()
        self.history: deque[tuple[float, float]] = deque(maxlen=200_000)

    def during(self, times: NDArray[np.float64], length: Any) -> list[tuple[float, float]]:  # Any: rng -> seconds
        """(start, length) of those that touch the times."""
        if len(times) == 0:
            return []
        while self._next_s <= times[-1]:
            lasting = max(0.02, length(self._rng))
            self._known.append((self._next_s, lasting))
            self.history.append((self._next_s, lasting))
            self._next_s += lasting + float(self._rng.exponential(1.0 / self._per_s))
        while self._known and self._known[0][0] + self._known[0][1] < times[0]:
            self._known.popleft()
        return list(self._known)

    def covers(self, times: NDArray[np.float64], length: Any) -> NDArray[np.bool_]:
        """Which times lie inside one."""
        covered = np.zeros(len(times), np.bool_)
        for start, lasting in self.during(times, length):
            covered |= (times >= start) & (times < start + lasting)
        return covered


def saccade_profile(tau: NDArray[np.float64], amplitude_deg: float) -> NDArray[np.float64]:
    """Share of a saccade done at each share of its time; its peak velocity follows the main sequence.

    The velocity is tau^a (1 - tau)^b: how peaked it is follows from peak velocity times duration over amplitude, and
    larger saccades reach their peak earlier (van Opstal and van Gisbergen 1987 describe the same skew).
    """
    peak = V_MAX_DEG_S * (1.0 - np.exp(-amplitude_deg / C_DEG))
    peakedness = peak * (2.2 * amplitude_deg + 21.0) / 1000.0 / max(amplitude_deg, 1e-6)
    a = float(np.interp(peakedness, [1.5, 1.698, 1.875, 2.188, 2.461], [1.0, 1.5, 2.0, 3.0, 4.0]))
    b = a * (1.0 + 0.02 * min(amplitude_deg, 20.0))
    grid = np.linspace(0.0, 1.0, 129)
    velocity = grid**a * (1.0 - grid) ** b
    done = np.concatenate([[0.0], np.cumsum((velocity[1:] + velocity[:-1]) / 2.0)])
    return np.asarray(np.interp(tau, grid, done / done[-1]), np.float64)
