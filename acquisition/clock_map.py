"""From the tracker's clock to the host's: a robust line through the clock probes of the last minute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

WINDOW_S = 60.0
"""Length of the local line; 300 s was too long for thermal wander, one offset was off by 177 ms after an hour."""

BURST_US = 1_000_000
"""Probes within one second are one burst."""

_JITTER_US = 30.0  # what is left of a good probe's error
_PRIOR_PPM = 50.0  # crystals differ by so much; holds the slope while there are few probes
_HUBER = 1.5


@dataclass(frozen=True)
class ClockLine:
    """host_ns = base_ns + (device_us - base_us) * 1000 * (1 + drift_ppm / 1e6)."""

    base_us: int
    base_ns: int
    drift_ppm: float

    def time_ns(self, device_us: ArrayLike) -> NDArray[np.int64]:
        """Device stamps on the host's clock."""
        elapsed_us = np.asarray(device_us, np.int64) - self.base_us
        drift_ns = np.rint(elapsed_us * (self.drift_ppm * 1e-3)).astype(np.int64)
        return np.asarray(self.base_ns + elapsed_us * 1000 + drift_ns, np.int64)

    def one_time_ns(self, device_us: int) -> int:
        """`time_ns` for one stamp, without an array."""
        elapsed_us = device_us - self.base_us
        return self.base_ns + elapsed_us * 1000 + round(elapsed_us * self.drift_ppm * 1e-3)


def fit_line(request_us: ArrayLike, device_us: ArrayLike, response_us: ArrayLike, *, at_us: int) -> ClockLine:
    """The robust line through probes, with its base at the device stamp `at_us`.

    A probe says that the device read `device_us` somewhere between request and response: its error is at most half of
    that time, so probes count by how fast they came back, and Huber's weights take what still lies off the line.
    """
    request = np.asarray(request_us, np.int64)
    device = np.asarray(device_us, np.int64)
    round_trip = np.asarray(response_us, np.int64) - request
    reference = int((request[0] + round_trip[0] // 2) - device[0])
    offset = (request - device - reference) + round_trip / 2.0
    elapsed = (device - at_us).astype(np.float64)
    slack = (round_trip - round_trip.min()) / 2.0
    weight = 1.0 / (_JITTER_US**2 + slack**2)
    scale = np.ones(len(offset))
    intercept = slope = 0.0
    for _ in range(4):
        w = weight * scale
        # Ridge towards no drift: sums of the weighted normal equations with a prior on the slope.
        s0, s1, s2 = w.sum(), (w * elapsed).sum(), (w * elapsed**2).sum() + 1.0 / (_PRIOR_PPM * 1e-6) ** 2
        t0, t1 = (w * offset).sum(), (w * elapsed * offset).sum()
        determinant = s0 * s2 - s1 * s1
        intercept = (s2 * t0 - s1 * t1) / determinant
        slope = (s0 * t1 - s1 * t0) / determinant
        distance = np.abs(offset - intercept - slope * elapsed) * np.sqrt(weight)
        scale = np.minimum(1.0, _HUBER / np.maximum(distance, 1e-9))
    return ClockLine(at_us, (at_us + reference) * 1000 + round(intercept * 1000), slope * 1e6)


class ArrivalProbes:
    """Clock probes for trackers that cannot be asked for their time: the quickest sample of each second.

    The delay on the way is unknown and stays in the result; its variation does not.
    """

    EVERY_US = 1_000_000

    def __init__(self) -> None:
        self._since_us = 0
        self._best: tuple[int, int, int] | None = None

    def add(self, device_us: int, arrival_us: int) -> tuple[int, int] | None:
        """Take a sample's stamp and arrival; gives (device_us, arrival_us) of the quickest once a second."""
        delay = arrival_us - device_us
        if self._best is None:
            self._since_us = arrival_us
        if self._best is None or delay < self._best[0]:
            self._best = (delay, device_us, arrival_us)
        if arrival_us - self._since_us < self.EVERY_US:
            return None
        _, device, arrival = self._best
        self._best = None
        return device, arrival


class ProbeWindow:
    """The probes of the last minute and the line through them."""

    def __init__(self) -> None:
        self._probes: list[tuple[int, int, int]] = []

    def add(self, request_us: int, device_us: int, response_us: int) -> ClockLine | None:
        """Take a probe in; request and response on the host's clock. The new line, or None where it changes nothing."""
        if response_us < request_us:
            return None
        if self._probes and device_us // BURST_US == self._probes[-1][1] // BURST_US:
            # Of a burst the quickest answer counts; the others cost nothing.
            earlier = self._probes[-1]
            if response_us - request_us >= earlier[2] - earlier[0]:
                return None
            self._probes.pop()
        self._probes.append((request_us, device_us, response_us))
        horizon = device_us - WINDOW_S * 1e6
        self._probes = [probe for probe in self._probes if probe[1] >= horizon]
        columns = np.array(self._probes, np.int64).T
        return fit_line(columns[0], columns[1], columns[2], at_us=device_us)


class LiveClockMap:
    """The line as it is known now; forgets probes older than a minute. Output never falls.

    It belongs to the driver's thread. A fit takes as long as several callbacks: a thread that fits elsewhere leaves its
    line in `newer`, with the `n_resets` that its probes belong to.
    """

    def __init__(self, *, after_ns: int = -(1 << 62)) -> None:
        self.line: ClockLine | None = None  # in force; none before the first probe
        self.n_resets = 0
        self.newer: tuple[int, ClockLine] | None = None
        self.window = ProbeWindow()
        self._last_ns = after_ns

    def reset(self) -> None:
        """Forget everything but that time does not fall: the device clock has jumped."""
        self.window = ProbeWindow()
        self.line = None
        self.n_resets += 1

    def add_probe(self, request_us: int, device_us: int, response_us: int) -> None:
        """Take a probe in; request and response on the host's clock, microseconds."""
        self.line = self.window.add(request_us, device_us, response_us) or self.line

    def time_ns(self, device_us: NDArray[np.int64], fallback_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Capture times on the host's clock, rising strictly; `fallback_ns` where there is no line yet."""
        mapped = self.line.time_ns(device_us) if self.line is not None else fallback_ns
        return self.monotone(mapped)

    def one_time_ns(self, device_us: int, fallback_ns: int) -> int:
        """`time_ns` for one sample, without an array."""
        if self.newer is not None:
            (n_resets, newer), self.newer = self.newer, None
            if n_resets == self.n_resets:
                self.line = newer
        line = self.line
        if line is None:
            time_ns = fallback_ns
        else:  # `ClockLine.one_time_ns`, without the call
            elapsed_us = device_us - line.base_us
            time_ns = line.base_ns + elapsed_us * 1000 + round(elapsed_us * line.drift_ppm * 1e-3)
        self._last_ns = time_ns if time_ns > self._last_ns else self._last_ns + 1
        return self._last_ns

    def monotone(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same times, each at least one nanosecond after the one before."""
        steps = np.arange(len(time_ns), dtype=np.int64)
        rising = np.maximum.accumulate(np.maximum(time_ns - steps, self._last_ns + 1)) + steps
        if len(rising):
            self._last_ns = int(rising[-1])
        return np.asarray(rising, np.int64)


def residuals_ms(probes: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
    """Distance of each probe (n, 3) from the centred local line, milliseconds, and the mean drift, ppm."""
    if len(probes) == 0:
        return np.zeros(0), 0.0
    out = np.zeros(len(probes))
    drifts = []
    half_us = WINDOW_S * 1e6 / 2
    for number, (request, device, response) in enumerate(probes):
        near = probes[np.abs(probes[:, 1] - device) <= half_us]
        line = fit_line(near[:, 0], near[:, 1], near[:, 2], at_us=int(device))
        out[number] = ((request + response) / 2.0 - line.base_ns / 1000.0) / 1000.0
        drifts.append(line.drift_ppm)
    return out, float(np.median(drifts))
