"""Detectors in white noise, on the hand-labelled recordings.

    python -m benchmarks.detector_noise [--quick]

Event F1 against coder MN, events that share half of their union, mean over five draws of the noise. `fix` against the
coder's fixations, `slow` against fixation or pursuit. The target was set on recordings of still images, which are not
among the files at hand; here the eyes follow moving things, and the other coder's own F1 is printed as the ceiling.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from benchmarks.data_place import data_place
from benchmarks.figures import Figure, show
from benchmarks.lund_recordings import (
    DISPLAY,
    FIXATION,
    PURSUIT,
    Recording,
    Score,
    as_samples,
    read_recordings,
    with_noise,
)
from processing.detector import detect, detectors

CASES = (
    (500, 0.0),
    (500, 0.10),
    (500, 0.25),
    (500, 0.5),
    (500, 1.0),
    (125, 0.0),
    (125, 0.25),
    (125, 0.5),
    (62.5, 0.25),
)
TARGETS = {(125, 0.25): 0.86, (500, 0.5): 0.84}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one draw of the noise")
    n_draws = 1 if parser.parse_args().quick else 5
    recordings = read_recordings(data_place("lund2013"))
    figures = []
    human = {key: Score.empty() for key in ("fix", "slow")}
    for one in recordings:
        human["fix"].add(one.ra == FIXATION, one.mn == FIXATION)
        human["slow"].add(np.isin(one.ra, (FIXATION, PURSUIT)), np.isin(one.mn, (FIXATION, PURSUIT)))
    value = f"fix {human['fix'].event_f1:.3f}, slow {human['slow'].event_f1:.3f}"
    figures.append(Figure("coder RA, no noise added", value, "", None))
    for name in detectors.names():
        for rate_hz, noise_deg in CASES:
            draws = [_score(name, recordings, rate_hz, noise_deg, draw) for draw in range(n_draws if noise_deg else 1)]
            fix, slow = np.mean(draws, axis=0)
            wanted = TARGETS.get((rate_hz, noise_deg)) if name == "auto" else None
            passed = None if wanted is None else bool(fix >= wanted)
            target = "" if wanted is None else f"fix >= {wanted}"
            value = f"fix {fix:.3f}, slow {slow:.3f}"
            figures.append(Figure(f"{name}, {rate_hz:g} Hz, noise {noise_deg:.2f} deg", value, target, passed))
    return show("Event F1 in white noise", figures)


def _score(name: str, recordings: list[Recording], rate_hz: float, noise_deg: float, draw: int) -> tuple[float, float]:
    rng = np.random.default_rng(draw)
    step = round(500 / rate_hz)
    fixation, slow = Score.empty(), Score.empty()
    for one in recordings:
        gaze = with_noise(one, noise_deg, rng)[::step] if noise_deg else one.gaze_px[::step]
        labels = detect(name, as_samples(gaze, one.is_lost[::step], 2_000_000 * step), DISPLAY).labels
        wanted = one.mn[::step]
        fixation.add(labels == FIXATION, wanted == FIXATION)
        slow.add(labels == FIXATION, np.isin(wanted, (FIXATION, PURSUIT)))
    return fixation.event_f1, slow.event_f1


if __name__ == "__main__":
    sys.exit(main())
