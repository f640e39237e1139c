"""Our I-VT against Tobii Pro Lab's own labels.

    python -m benchmarks.ivt_agreement [--quick]

The filter of the right-eye file is recorded only as custom; gap fill on, median 3, right eye is what fits its labels.
That of the 120 Hz file is unknown too; strict average, moving average, gap fill is the best fit. Both choices were made
on these same labels (references): there is no untouched hold-out.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from benchmarks.data_place import data_place
from benchmarks.figures import Figure, show
from benchmarks.lund_recordings import kappa
from benchmarks.pro_lab_export import read_pro_lab
from processing.detector import detect
from processing.detectors.ivt import IvtParameters
from processing.event import EventKind
from processing.gaze_table import GazeCleaning

RIGHT_EYE = IvtParameters(cleaning=GazeCleaning(eyes="right", gap_fill_ms=75.0))
STRICT = IvtParameters(cleaning=GazeCleaning(eyes="strict average", noise="average", gap_fill_ms=75.0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same; it takes a second")
    parser.parse_args()
    figures = []
    for name, parameters, wanted in (
        ("right-eye-300hz", RIGHT_EYE, 0.997),
        ("custom-filter-120hz", STRICT, 0.990),
    ):
        samples, labels, display, point_px, duration_ms = read_pro_lab(data_place("tobii-pro-lab", f"{name}.tsv"))
        found = detect("ivt", samples, display, parameters)
        agreement = float(np.mean(found.labels == labels))
        value = f"{agreement:.3%} of {len(labels)}, kappa {kappa(found.labels == 1, labels == 1):.4f}"
        figures.append(Figure(f"{name}: samples with Tobii's label", value, f">= {wanted:.1%}", agreement >= wanted))
        theirs = _runs(labels)
        ours = [event for event in found.events if event.kind == EventKind.FIXATION]
        same = [event for event in ours if (event.first, event.last) in theirs]
        is_all = len(same) == len(theirs) == len(ours)
        target = "32 of 32" if name.startswith("right") else ""
        value = f"{len(same)} of {len(theirs)} ({len(ours)} found)"
        figures.append(Figure(f"{name}: fixations with Tobii's bounds", value, target, is_all if target else None))
        apart_ms = max(abs(event.duration_ms - duration_ms[event.first]) for event in same)
        apart_px = max(np.abs(display.px_from_norm(e.centre_norm) - point_px[e.first]).max() for e in same)
        value = f"{apart_ms:.2f} ms, {apart_px:.2f} px"
        figures.append(Figure(f"{name}: of these, largest difference of duration, point", value, "", None))
    return show("I-VT against Tobii Pro Lab 24.21", figures)


def _runs(labels: np.ndarray) -> set[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels == EventKind.FIXATION, [0]])))
    return set(zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True))


if __name__ == "__main__":
    sys.exit(main())
