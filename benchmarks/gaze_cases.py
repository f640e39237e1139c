"""Random gaze for detectors: any rate, jitter, gaps, lost eyes, clock jumps, duplicate stamps; and how to compare."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from domain.gaze import GazeSamples

RATES_HZ = (60, 90, 120, 250, 300, 500, 600, 1000, 1200)


@st.composite
def gaze_cases(draw):
    """(samples, where to cut them into chunks)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rate_hz = draw(st.sampled_from(RATES_HZ))
    # Long ones too: a stream forgets rows after some 1300.
    n = draw(st.one_of(st.integers(0, 300), st.integers(1500, 4000)))
    jitter = draw(st.sampled_from((0.0, 0.05, 0.4)))
    noise_deg = draw(st.sampled_from((0.0, 0.05, 0.3, 1.0)))
    lost_share = draw(st.sampled_from((0.0, 0.02, 0.3)))
    with_origin = draw(st.booleans())
    n_cuts = draw(st.integers(0, 12))
    cuts = np.sort(rng.integers(0, n + 1, n_cuts))
    samples = random_gaze(rng, n, rate_hz, jitter, noise_deg, lost_share, with_origin)
    return samples, [0, *cuts.tolist(), n]


def random_gaze(rng, n, rate_hz, jitter, noise_deg, lost_share, with_origin):
    """Steps between places with noise, both eyes a little apart, in every way that trackers misbehave."""
    interval = 1e9 / rate_hz
    time_ns = np.cumsum(interval * (1 + jitter * rng.uniform(-1, 1, n))).astype(np.int64) + 10**15
    segment = np.zeros(n, np.int64)
    if n > 10:
        for _ in range(rng.integers(0, 3)):
            k = rng.integers(1, n)
            kind = rng.integers(0, 4)
            if kind == 0:
                time_ns[k:] += int(rng.uniform(0.02, 0.4) * 1e9)
            elif kind == 1:
                segment[k:] += 1
                time_ns[k:] -= int(rng.uniform(0, 0.1) * 1e9)
            elif kind == 2:
                time_ns[k] = time_ns[k - 1]
            else:
                time_ns[k:] -= int(5 * interval)
    moves = rng.random(n) < 4.0 / rate_hz
    place = np.cumsum(np.where(moves[:, None], rng.normal(0, 0.15, (n, 2)), 0.0), axis=0) + 0.5
    gaze = place[:, None] + rng.normal(0, noise_deg * 0.012, (n, 2, 2)) + np.array([[-0.004, 0.0], [0.004, 0.001]])
    valid = np.ones((n, 2), bool)
    k = 0
    while k < n and lost_share:
        k += int(rng.exponential(0.15 * rate_hz)) + 1
        length = int(rng.exponential(lost_share * 0.2 * rate_hz)) + 1
        eyes = [[0], [1], [0, 1], [0, 1]][rng.integers(0, 4)]
        valid[k : k + length, eyes] = False
    gaze[~valid] = np.nan
    gaze_mm, origin_mm = np.full((n, 2, 3), np.nan), np.full((n, 2, 3), np.nan)
    if with_origin and n:
        gaze_mm[..., :2] = (gaze - 0.5) * [531, 299]
        gaze_mm[..., 2] = 0
        eyes_mm = np.array([[-32.0, 0.0, 640.0], [32.0, 0.0, 640.0]])
        origin_mm[:] = eyes_mm + np.cumsum(rng.normal(0, 0.1, (n, 1, 3)), axis=0)
        origin_mm[rng.random((n, 2)) < 0.02] = np.nan
    nothing = np.zeros((n, 2), bool)
    return GazeSamples(
        seq=np.arange(n),
        time_ns=time_ns,
        device_us=time_ns // 1000,
        system_us=time_ns // 1000,
        gaze_norm=gaze,
        gaze_mm=gaze_mm,
        origin_mm=origin_mm,
        pupil_mm=np.where(valid, 3.2, np.nan),
        openness_mm=np.full((n, 2), np.nan),
        gaze_valid=valid,
        origin_valid=np.isfinite(origin_mm).all(axis=2),
        pupil_valid=valid,
        openness_valid=nothing,
        segment=segment,
    )


def events_in_chunks(running, samples, cuts):
    """What a stream gives for samples cut at these places."""
    events = []
    for begin, end in pairwise(cuts):
        events += running.push(samples[begin:end])
        running.provisional()
    return [*events, *running.finish()]


def differences(first, second):
    """What differs between two lists of events, as text; empty where they are the same in every bit."""
    return [f"{i}: {a} / {b}" for i, (a, b) in enumerate(zip(first, second, strict=False)) if repr(a) != repr(b)] + (
        [] if len(first) == len(second) else [f"{len(first)} events and {len(second)}"]
    )
