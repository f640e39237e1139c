"""Recorded against live: the same samples in any chunks give the same events. Random cases by hypothesis.

python -m benchmarks.detector_chunks [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time

from hypothesis import HealthCheck, given, settings

from benchmarks import gaze_cases as cases
from benchmarks.figures import Figure, show
from domain.display import Display
from processing.detector import detect, detectors, stream

DISPLAY = Display(size_px=(1920, 1080), size_mm=(531.0, 299.0), distance_mm=650.0)


def count_differences(name: str, n_cases: int) -> tuple[int, int]:
    """(cases run, cases with any difference) for one detector."""
    seen = [0, 0]

    @settings(max_examples=n_cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases.gaze_cases())
    def compare(case):
        samples, cuts = case
        whole = list(detect(name, samples, DISPLAY).events)
        in_chunks = cases.events_in_chunks(stream(name, DISPLAY), samples, cuts)
        seen[0] += 1
        seen[1] += bool(cases.differences(in_chunks, whole))

    compare()
    return seen[0], seen[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 cases per detector instead of 10 000")
    parser.add_argument("--only", nargs="+", default=detectors.names(), help="these detectors")
    chosen = parser.parse_args()
    n_cases = 200 if chosen.quick else 10_000
    figures = []
    for name in chosen.only:
        started_s = time.perf_counter()
        n_run, n_different = count_differences(name, n_cases)
        seconds = time.perf_counter() - started_s
        value = f"{n_different} of {n_run} ({seconds:.0f} s)"
        figures.append(Figure(f"{name}: cases with a difference", value, "0 of 10000", n_different == 0))
    return show("Recorded against live: random samples, 60-1200 Hz, gaps and jitter", figures)


if __name__ == "__main__":
    sys.exit(main())
