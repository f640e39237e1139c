"""How far the live clock map is from the truth: 50 ppm, wander, 5 % of answers 10 ms late. [--hours 1] [--quick]"""

from __future__ import annotations

import itertools

import numpy as np

from acquisition.clock_map import LiveClockMap
from acquisition.simulated_clock import simulated_probes
from benchmarks.figure_table import Figure, arguments, show


def main() -> None:
    given = arguments(__doc__ or "", hours=1.0, seeds=10.0).parse_args()
    seconds = 600.0 if given.quick else given.hours * 3600.0
    p95s, highest = [], []
    for seed in range(3 if given.quick else int(given.seeds)):
        probes, to_host_us = simulated_probes(seconds, seed=1000 + seed)
        clock = LiveClockMap()
        errors = []
        for probe, following in itertools.pairwise(probes):
            clock.add_probe(int(probe[0]), int(probe[1]), int(probe[2]))
            device = np.linspace(probe[1], following[1], 50)[:-1].astype(np.int64)
            if clock.line is not None:
                errors.append(clock.line.time_ns(device) / 1000.0 - to_host_us(device))
        error_ms = np.abs(np.concatenate(errors)) / 1000.0
        p95s.append(float(np.percentile(error_ms, 95)))
        highest.append(float(error_ms.max()))
    show(
        f"{len(p95s)} clocks of {seconds / 60:.0f} min, from the first probe on",
        [
            Figure("live p95, worst clock", f"{max(p95s):.3f} ms", "< 0.1 ms", max(p95s) < 0.1),
            Figure("live max, worst clock", f"{max(highest):.3f} ms", "< 0.3 ms", max(highest) < 0.3),
        ],
    )


if __name__ == "__main__":
    main()
