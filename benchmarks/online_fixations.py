"""Online fixations against what the simulated eye really did, at four rates. [--minutes 5] [--quick]

An online fixation is right where it shares more than half of the time that it and a true one cover (IoU > 0.5, one to
one). What is true ends where the lids hide it: a blink divides a fixation. The simulated eye has its usual noise,
drift, microsaccades, blinks and losses. How a blink divides a true fixation was decided while looking at seeds
101-103 and 201-202; the seeds below were first run after that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acquisition.simulated_eye import SimulatedEye
from benchmarks.figure_table import Figure, arguments, show
from domain.display import Display
from domain.gaze import GazeSamples
from domain.scene import Scene
from domain.view import ImageView
from workflows.online_fixations import OnlineFixations

DISPLAY = Display((1920, 1080), (527.0, 296.0))
RATES_HZ = (60.0, 120.0, 300.0, 1200.0)


def run(rate_hz: float, seed: int, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """True and found fixations as (n, 2) seconds, and whether each number began and ended exactly once."""
    eye = SimulatedEye(DISPLAY, rate_hz, seed=seed)
    y, x = np.mgrid[:400, :600]
    rng = np.random.default_rng(seed)
    detector = OnlineFixations(DISPLAY)
    found, n = [], 0
    while n < seconds * rate_hz:
        if n % int(8 * rate_hz) == 0:
            mask = (x - rng.uniform(150, 450)) ** 2 + (y - rng.uniform(120, 280)) ** 2 < rng.uniform(50, 110) ** 2
            eye.set_scene(Scene(DISPLAY, ImageView.fitted((600, 400), DISPLAY.size_px, margin=0.05), mask))
        chunk = max(1, int(rate_hz / 50))
        if (n % int(8 * rate_hz)) + chunk > int(8 * rate_hz):
            chunk = int(8 * rate_hz) - n % int(8 * rate_hz)
        rows = eye.generate(chunk)
        rows["seq"] = np.arange(n, n + chunk)
        rows["time_ns"] = (rows["seq"] * (1e9 / rate_hz)).astype(np.int64) + 10**9
        n += chunk
        found += detector.push(GazeSamples.from_records(rows))
    found += detector.finish()
    ends = [event for event in found if event.phase == "end"]
    starts = [event for event in found if event.phase == "start"]
    once = sorted(e.number for e in ends) == sorted(e.number for e in starts) == list(range(1, len(ends) + 1))
    shown = [fixation for fixation in eye.visible_fixations() if fixation.offset_s < seconds]
    truth = np.array([(fixation.onset_s, fixation.offset_s) for fixation in shown])
    seen = np.array([((e.onset_ns - 10**9) / 1e9, (e.offset_ns - 10**9) / 1e9) for e in ends])
    return truth, seen[seen[:, 0] < truth[-1, 1]], once


def f1(truth: NDArray[np.float64], seen: NDArray[np.float64]) -> tuple[float, float]:
    """F1 of one-to-one matches, and the median error of their onsets in milliseconds."""
    starts = np.maximum(truth[:, None, 0], seen[None, :, 0])
    stops = np.minimum(truth[:, None, 1], seen[None, :, 1])
    shared = np.clip(stops - starts, 0, None)
    covered = np.ptp(truth, axis=1)[:, None] + np.ptp(seen, axis=1)[None] - shared
    # Above one half, a fixation can match one other only, so no assignment is needed.
    t, s = np.nonzero(shared / covered > 0.5)
    onset_ms = np.abs(truth[t, 0] - seen[s, 0]) * 1000.0
    return 2 * len(t) / (len(truth) + len(seen)), float(np.median(onset_ms))


def main() -> None:
    given = arguments(__doc__ or "", minutes=5.0).parse_args()
    seconds = 60.0 if given.quick else given.minutes * 60.0
    figures = []
    for rate_hz in RATES_HZ:
        scores, onsets, once, n = [], [], True, 0
        for seed in (901, 902, 903):
            truth, seen, is_once = run(rate_hz, seed, seconds)
            score, onset_ms = f1(truth, seen)
            scores.append(score)
            onsets.append(onset_ms)
            once &= is_once
            n += len(truth)
        value = f"F1 {np.mean(scores):.3f} (n {n}), onset {np.median(onsets):.1f} ms"
        figures.append(Figure(f"{rate_hz:g} Hz", value, "F1 >= 0.95, each id once", min(scores) >= 0.95 and once))
    show("Online I-VT against the simulated eye's truth", figures)


if __name__ == "__main__":
    main()
