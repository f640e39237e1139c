"""A device clock that drifts and wanders, probed over a link with late answers: truth for tests of the clock map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

DRIFT_PPM = 50.0
WANDER_PPM = 5.0
WANDER_PERIOD_S = 1800.0
ROUND_TRIP_US = 120.0
JITTER_US = 200.0
LATE_SHARE, LATE_US = 0.05, 10_000.0
BURST = 8


def simulated_probes(
    seconds: float, *, seed: int, every_s: float = 5.0
) -> tuple[NDArray[np.int64], Callable[[NDArray[np.int64]], NDArray[np.float64]]]:
    """Probes (n, 3) and the true map from device to host microseconds.

    50 ppm apart, 5 ppm thermal wander, 0.12 ms round trip with 0.2 ms exponential jitter on each way, and one of twenty
    answers 10 ms late; of each burst of 8 the quickest counts, as the drivers do it.
    """
    rng = np.random.default_rng(seed)

    def to_device(host_us: NDArray[np.float64]) -> NDArray[np.float64]:
        omega = 2 * np.pi / (WANDER_PERIOD_S * 1e6)
        wander = WANDER_PPM * 1e-6 / omega * (1 - np.cos(omega * host_us))
        return np.asarray(10**11 + host_us * (1 + DRIFT_PPM * 1e-6) + wander, np.float64)

    grid = np.linspace(-1e6, (seconds + 10.0) * 1e6, 200_001)
    grid_device = to_device(grid)

    def to_host(device_us: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(np.interp(device_us, grid_device, grid), np.float64)

    # More often in the first seconds, so that the drift is known soon.
    starts = np.concatenate([np.arange(0.0, 5.0, 0.5), np.arange(5.0, seconds, every_s)]) * 1e6
    probes = np.zeros((len(starts), 3), np.int64)
    for number, start in enumerate(starts):
        out = ROUND_TRIP_US / 2 + rng.exponential(JITTER_US, BURST)
        back = ROUND_TRIP_US / 2 + rng.exponential(JITTER_US, BURST)
        back += np.where(rng.random(BURST) < LATE_SHARE, LATE_US, 0.0)
        best = int(np.argmin(out + back))
        read_at = start + out[best]
        device = to_device(np.array([read_at]))[0]
        probes[number] = (round(start), round(device), round(read_at + back[best]))
    return probes, to_host
