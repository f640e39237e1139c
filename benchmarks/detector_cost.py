"""What live detection costs at 1200 Hz, in shares of a core.

    python -m benchmarks.detector_cost [--quick]

Random gaze with gaps and noise, handed over in chunks of 50 ms (as the tracker host does) and of 20 ms; processor
time of this process, best of five runs. Also how many recorded samples per second.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from benchmarks.figures import Figure, show
from benchmarks.gaze_cases import random_gaze
from domain.display import Display
from processing.compiled import HAS_NUMBA
from processing.detector import detect, detectors, stream

DISPLAY = Display(size_px=(1920, 1080), size_mm=(531.0, 299.0), distance_mm=650.0)
RATE_HZ = 1200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 s of gaze instead of 60")
    seconds = 10 if parser.parse_args().quick else 60
    samples = random_gaze(np.random.default_rng(1), seconds * RATE_HZ, RATE_HZ, 0.05, 0.1, 0.02, True)
    figures = [Figure("numba", "yes" if HAS_NUMBA else "no: plain Python loops", "", None)]
    for name in detectors.names():
        detect(name, samples[:2000], DISPLAY)
        for chunk_ms in (50, 20):
            size = RATE_HZ * chunk_ms // 1000
            chunks = [samples[i : i + size] for i in range(0, len(samples), size)]
            cost = min(_live_cost(name, chunks) for _ in range(5)) / seconds
            is_target = name in ("ivt", "auto", "step") and chunk_ms == 50
            passed = cost <= 0.002 if is_target else None
            target = "<= 0.2 %" if is_target else ""
            figures.append(Figure(f"{name}, live in chunks of {chunk_ms} ms", f"{cost:.3%} of a core", target, passed))
        begun = time.process_time()
        detect(name, samples, DISPLAY)
        rate = len(samples) / max(time.process_time() - begun, 1e-9)
        figures.append(Figure(f"{name}, recorded", f"{rate / 1e6:.2f} million samples/s", "", None))
    return show("Cost of detection at 1200 Hz", figures)


def _live_cost(name: str, chunks: list) -> float:
    running = stream(name, DISPLAY)
    begun = time.process_time()
    for chunk in chunks:
        running.push(chunk)
    running.finish()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main())
