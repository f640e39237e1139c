"""Every detector with its defaults against hand-labelled recordings (Andersson et al. 2017, dots and videos, 500 Hz).

    python -m benchmarks.lund2013 [--quick]

Reported, not tuned: no parameter was chosen on these files. The eyes follow moving things here, which no detector of
ours names: a pursuit counts as fixation for it. So there are two figures: against the coder's fixations alone, and
against fixation or pursuit (slow). The other coder's agreement is the ceiling. Published rows: Andersson et al. 2017,
recomputed by the references from the authors' file (mean against both coders).
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from benchmarks.data_place import data_place
from benchmarks.lund_recordings import (
    DISPLAY,
    FIXATION,
    PURSUIT,
    SACCADE,
    Recording,
    Score,
    as_samples,
    read_recordings,
)
from processing.detector import detect, detectors

PUBLISHED = {
    "I-VT (45 deg/s)": {"dots": (0.03, 0.63), "videos": (0.13, 0.76)},
    "I-HMM": {"dots": (0.03, 0.60), "videos": (0.13, 0.71)},
    "I-KF": {"dots": (0.03, 0.46), "videos": (0.14, 0.59)},
    "NH": {"dots": (-0.20, 0.60), "videos": (0.01, 0.68)},
    "I-DT (best of two)": {"dots": (0.01, 0.26), "videos": (0.03, 0.38)},
    "REMoDNaV": {"dots": (0.45, 0.78), "videos": (0.44, 0.79)},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same; it takes seconds")
    parser.parse_args()
    recordings = read_recordings(data_place("lund2013"))
    print(f"{len(recordings)} recordings, {sum(len(r.mn) for r in recordings)} samples; against coder MN")
    print(f"{'':<22}{'dots':^35} {'videos':^35}")
    head = f"{'k fix':>7} {'F1 fix':>6} {'k slow':>6} {'F1 slow':>7} {'k sac':>6}"
    print(f"{'detector':<20}{head} {head}")
    _row("coder RA", recordings, lambda one: one.ra)
    for name in detectors.names():
        _row(name, recordings, lambda one, name=name: _labels(name, one))
    for name, values in PUBLISHED.items():
        cells = " ".join(f"{values[kind][0]:>7.2f} {'':>6} {'':>6} {'':>7} {values[kind][1]:>6.2f}" for kind in values)
        print(f"{name + ' *':<20}{cells}")
    print("* as published: fixation and saccade kappa, mean against both coders")
    return 0


def _labels(name: str, one: Recording) -> np.ndarray:
    return detect(name, as_samples(one.gaze_px, one.is_lost, 2_000_000), DISPLAY).labels


def _row(name: str, recordings: list[Recording], labels_of) -> None:
    cells = []
    for kind in ("dots", "videos"):
        fixation, slow, saccade = Score.empty(), Score.empty(), Score.empty()
        for one in recordings:
            if one.kind != kind:
                continue
            labels = labels_of(one)
            fixation.add(labels == FIXATION, one.mn == FIXATION)
            slow.add(np.isin(labels, (FIXATION, PURSUIT)), np.isin(one.mn, (FIXATION, PURSUIT)))
            saccade.add(labels == SACCADE, one.mn == SACCADE)
        cells.append(
            f"{fixation.kappa:>7.2f} {fixation.event_f1:>6.2f} {slow.kappa:>6.2f} {slow.event_f1:>7.2f} "
            f"{saccade.kappa:>6.2f}"
        )
    print(f"{name:<20}{' '.join(cells)}")


if __name__ == "__main__":
    sys.exit(main())
