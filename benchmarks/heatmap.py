"""Heatmaps against the published notebook's arithmetic: the same 8-bit maps, and how long they take.

    python -m benchmarks.heatmap [--quick]

The slow side is an independent form of the published steps, run beside ours in the same process, one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.data_place import data_place
from benchmarks.figures import Figure, show
from benchmarks.published_heatmap import as_fixations, published_u8, simulated_rows, table_rows
from domain.labels import POLYP, PROSTATE, LabelParameters
from processing import heatmap
from processing.heatmap import fixation_heatmap
from processing.live_heatmap import LiveHeatmap

SIZES = ((624, 532), (320, 320), (622, 528), (1348, 1070), (1920, 1072))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 simulated trials instead of 200")
    n_simulated = 20 if parser.parse_args().quick else 200
    cv2.setNumThreads(1)
    figures = []
    samples = data_place("gazemedseg-samples")
    n_wrong = n_maps = 0
    for name, parameters in (("kvasir_samples.csv", POLYP), ("nci-isbi_samples.csv", PROSTATE)):
        for size, rows in table_rows(samples / name).values():
            n_maps += 1
            n_wrong += _n_different(rows, size, parameters) > 0
    figures.append(Figure("real trials whose 8-bit map differs", f"{n_wrong} of {n_maps}", "0", n_wrong == 0))
    n_wrong = n_pixels = 0
    for seed in range(n_simulated):
        parameters = (POLYP, PROSTATE)[seed % 2]
        different = _n_different(simulated_rows(seed), SIZES[seed % len(SIZES)], parameters)
        n_wrong += different > 0
        n_pixels += different
    value = f"{n_wrong} of {n_simulated} ({n_pixels} px)"
    figures.append(Figure("SIMULATED trials whose 8-bit map differs", value, "0", n_wrong == 0))
    rows = simulated_rows(5)
    fixations = as_fixations(rows)
    fixation_heatmap(fixations, (624, 532), POLYP)
    ours_ms = _median_ms(lambda: heatmap.published_u8(fixation_heatmap(fixations, (624, 532), POLYP)), 30)
    theirs_ms = _median_ms(lambda: published_u8(rows, (624, 532), 70.0), 3)
    figures.append(Figure(f"624 x 532, {len(rows)} fixations", f"{ours_ms:.1f} ms", "<= 10 ms", ours_ms <= 10))
    figures.append(Figure("the published steps beside it", f"{theirs_ms:.0f} ms", "", None))
    live = LiveHeatmap((624, 532), POLYP)
    live_ms = _median_ms(lambda: live.add((0.4, 0.6), 30.0), 200)
    figures.append(Figure("live update, 624 x 532", f"{live_ms:.3f} ms", "<= 0.1 ms", live_ms <= 0.1))
    return show("Heatmaps", figures)


def _n_different(rows: np.ndarray, size: tuple[int, int], parameters: LabelParameters) -> int:
    ours = heatmap.published_u8(fixation_heatmap(as_fixations(rows), size, parameters))
    return int(np.count_nonzero(ours != published_u8(rows, size, parameters.sigma)))


def _median_ms(work: Callable[[], object], n: int) -> float:
    times = []
    for _ in range(n):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    sys.exit(main())
