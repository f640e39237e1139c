from __future__ import annotations

import itertools

import numpy as np
import pytest

from acquisition.clock_map import ArrivalProbes, LiveClockMap, fit_line, residuals_ms
from acquisition.simulated_clock import simulated_probes


def test_that_a_line_through_exact_probes_is_exact() -> None:
    host = np.arange(0, 60_000_000, 5_000_000, dtype=np.int64)
    device = 10**12 + np.rint(host * (1 + 40e-6)).astype(np.int64)
    line = fit_line(host, device, host, at_us=int(device[-1]))
    assert line.time_ns(device) == pytest.approx(host * 1000, abs=2500)
    assert line.drift_ppm == pytest.approx(-40.0, abs=0.2)


def test_that_late_probes_do_not_pull_the_line() -> None:
    host = np.arange(0, 60_000_000, 1_000_000, dtype=np.int64)
    device = host + 5_000
    request, response = host - 60, host + 60
    response[::7] += 10_000  # the answer was late, so the probe says little
    line = fit_line(request, device, response, at_us=int(device[-1]))
    assert np.abs(line.time_ns(device) - host * 1000).max() < 60_000


def test_that_the_live_map_stays_within_its_target_under_drift_wander_and_late_probes() -> None:
    for seed in (1, 2, 3):
        probes, to_host_us = simulated_probes(seconds=900.0, seed=seed)
        clock = LiveClockMap()
        errors = []
        for (request, device, response), following in itertools.pairwise(probes):
            clock.add_probe(int(request), int(device), int(response))
            between = np.linspace(device, following[1], 20)[:-1].astype(np.int64)
            assert clock.line is not None
            errors.append(clock.line.time_ns(between) / 1000.0 - to_host_us(between))
        error_ms = np.abs(np.concatenate(errors)) / 1000.0
        assert np.percentile(error_ms, 95) < 0.1
        assert error_ms.max() < 0.3


def test_that_output_never_falls_whatever_the_line_does() -> None:
    clock = LiveClockMap()
    rng = np.random.default_rng(1)
    last = -(1 << 62)
    for step in range(200):
        jitter = int(rng.integers(-400_000, 400_000))
        clock.add_probe(step * 10_000 + jitter, step * 10_000, step * 10_000 + jitter)
        times = clock.time_ns(step * 10_000 + np.arange(0, 10_000, 1_000), np.zeros(10, np.int64))
        assert times[0] > last
        assert np.all(np.diff(times) > 0)
        last = int(times[-1])


def test_that_residuals_say_how_far_probes_lie_from_the_line() -> None:
    probes, _ = simulated_probes(seconds=300.0, seed=4)
    residual, drift_ppm = residuals_ms(probes)
    assert len(residual) == len(probes)
    assert np.median(np.abs(residual)) < 0.2
    assert drift_ppm == pytest.approx(-50.0, abs=8.0)
    assert residuals_ms(np.zeros((0, 3), np.int64))[1] == 0.0


def test_that_the_quickest_sample_of_a_second_is_the_probe() -> None:
    probes = ArrivalProbes()
    found = []
    for number in range(300):
        delay = 900 if number % 50 == 17 else 5_000
        probe = probes.add(number * 10_000, 10**9 + number * 10_000 + delay)
        if probe is not None:
            found.append(probe)
    assert len(found) == 2
    assert all(arrival - device == 10**9 + 900 for device, arrival in found)
