"""Validation against injected truth: offset 0-3°, five noise levels, 60-1200 Hz. [--quick]

The gaze is made here, ray by ray, with a known angle at the eye (benchmarks/known_gaze.py): white noise, so SD over
both axes is sqrt(2) and RMS-S2S is 2 times the noise per axis. A cell is one offset, noise and rate: `repeats`
validations of 4 fresh points and 1 s each, both eyes. The figures are those of the worst cell; how far a single
validation strays is shown without a target, since that is the noise of the gaze and not of the method.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from benchmarks.figure_table import Figure, arguments, show
from benchmarks.known_gaze import PLANE, look_at
from calibration.profiles import FRESH
from calibration.validation import point_quality
from domain.calibration import PointQuality

OFFSETS_DEG = (0.0, 0.5, 1.0, 2.0, 3.0)
NOISE_DEG = (0.05, 0.1, 0.2, 0.3, 0.5)
RATES_HZ = (60.0, 120.0, 300.0, 600.0, 1200.0)
OFFSET_LIMIT_DEG, SHARE_LIMIT = 0.05, 0.05


def one_validation(offset: tuple[float, float], noise: float, rate_hz: float, seed: int) -> list[PointQuality]:
    """The left and the right eye at each fresh point."""
    found: list[PointQuality] = []
    for number, target in enumerate(FRESH):
        samples = look_at(
            target, n=round(rate_hz), rate_hz=rate_hz, offset_deg=offset, sd_deg=noise, seed=1000 * seed + number
        )
        found += point_quality(samples, target, PLANE)[:2]
    return found


def main() -> None:
    given = arguments(__doc__ or "").parse_args()
    repeats = 6 if given.quick else 40
    cells = list(product(OFFSETS_DEG, NOISE_DEG, RATES_HZ))
    worst_offset = worst_sd = worst_rms = 0.0
    single_offset: list[float] = []
    single_sd: list[float] = []
    for place, (size, noise, rate_hz) in enumerate(cells):
        rng = np.random.default_rng(place)
        errors, sds, rmss = [], [], []
        for repeat in range(repeats):
            angle = rng.uniform(0, 2 * math.pi)
            offset = (size * math.cos(angle), size * math.sin(angle))
            qualities = one_validation(offset, noise, rate_hz, seed=place * repeats + repeat)
            error = np.array([(q.offset_x_deg - offset[0], q.offset_y_deg - offset[1]) for q in qualities])
            errors.append(error.mean(axis=0))
            sds.append(math.sqrt(np.mean([q.sd_deg**2 for q in qualities])))
            rmss.append(math.sqrt(np.mean([q.rms_s2s_deg**2 for q in qualities])))
        single_offset += [float(np.abs(error).max()) for error in errors]
        single_sd += [abs(sd / (noise * math.sqrt(2)) - 1) for sd in sds]
        worst_offset = max(worst_offset, float(np.abs(np.mean(errors, axis=0)).max()))
        worst_sd = max(worst_sd, abs(math.sqrt(np.mean(np.square(sds))) / (noise * math.sqrt(2)) - 1))
        worst_rms = max(worst_rms, abs(math.sqrt(np.mean(np.square(rmss))) / (noise * 2.0) - 1))
    inside = float(np.mean(np.array(single_offset) <= OFFSET_LIMIT_DEG))
    sd_inside = float(np.mean(np.array(single_sd) <= SHARE_LIMIT))
    show(
        f"validation against injected truth: {len(cells)} cells of {repeats} validations",
        [
            Figure("signed offset, worst cell", f"{worst_offset:.4f}°", "≤ 0.05°", worst_offset <= OFFSET_LIMIT_DEG),
            Figure("SD against injected, worst cell", f"{worst_sd:.2%}", "≤ 5 %", worst_sd <= SHARE_LIMIT),
            Figure("RMS-S2S against injected, worst cell", f"{worst_rms:.2%}", "≤ 5 %", worst_rms <= SHARE_LIMIT),
            Figure("single validations within 0.05° per axis", f"{inside:.1%}", "shown", None),
            Figure("largest error of a single validation", f"{max(single_offset):.3f}°", "shown", None),
            Figure("single validations with SD within 5 %", f"{sd_inside:.1%}", "shown", None),
        ],
    )


if __name__ == "__main__":
    main()
