"""How long somebody worked on an image: not the time between opening and closing it.

Source: cvat-ai/cvat#6462 and #6973, where the time since creation was taken for working time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from domain.gaze import GazeSamples

Stretches = list[tuple[int, int]]
"""Begin and end in nanoseconds, in order, not overlapping."""

BLINK_S = 0.5
"""Eyes that are gone for no longer than this have blinked."""
IDLE_AFTER_S = 5.0
ON_SCREEN_MARGIN = 0.05
"""Gaze so far beside the display area, as a share of it, still counts as on the screen: no tracker is exact."""

ACTIVE_TIME_RULE = (
    "Active time of an image: it was shown and gaze counted (no pause, clutch held), its window was in front, and the "
    f"tracker saw an eye (blinks of up to {BLINK_S} s count). Stretches of more than {IDLE_AFTER_S:.0f} s without gaze "
    "on the screen, a key or the pointer are idle and left out. Trials recorded elsewhere count from onset to the end "
    "of the last fixation."
)


def active_seconds(
    samples: GazeSamples,
    counted: Sequence[tuple[int, int]],
    *,
    behind: Sequence[tuple[int, int]] = (),
    acted_ns: Iterable[int] = (),
) -> float:
    """Seconds of a look during which somebody worked, by `ACTIVE_TIME_RULE`.

    Args:
        samples: of the look, on its clock.
        counted: stretches (begin, end) in which gaze counted, nanoseconds.
        behind: stretches in which another window was in front.
        acted_ns: when a key or the pointer was used; that the image came and went counts as such by itself.
    """
    if not counted:
        return 0.0
    is_valid: NDArray[np.bool_] = np.asarray(samples.gaze_valid, np.bool_)
    is_seen = np.any(is_valid, axis=1)
    gaze = np.where(is_valid[..., None], samples.gaze_norm, np.nan)
    low, high = -ON_SCREEN_MARGIN, 1.0 + ON_SCREEN_MARGIN
    with np.errstate(invalid="ignore"):
        is_inside: NDArray[np.bool_] = (gaze >= low) & (gaze <= high)
    is_on_screen = np.any(np.all(is_inside, axis=2), axis=1)
    edges = [time for stretch in counted for time in stretch]
    signs = np.sort(np.concatenate([samples.time_ns[is_on_screen], np.array([*edges, *acted_ns], np.int64)]))
    step_ns = int(np.median(np.diff(samples.time_ns))) if len(samples) > 1 else 0
    awake = joined(signs, IDLE_AFTER_S)
    seen = [(begin, end + step_ns) for begin, end in joined(samples.time_ns[is_seen], BLINK_S)]
    left = without(common(common(list(counted), seen), awake), sorted(behind))
    return sum(end - begin for begin, end in left) / 1e9


def joined(times_ns: NDArray[np.int64], longest_gap_s: float) -> Stretches:
    """Stretches of moments that follow each other within so many seconds."""
    if not len(times_ns):
        return []
    cuts = np.flatnonzero(np.diff(times_ns) > longest_gap_s * 1e9)
    begins, ends = np.append(0, cuts + 1), np.append(cuts, len(times_ns) - 1)
    return [(int(times_ns[b]), int(times_ns[e])) for b, e in zip(begins, ends, strict=True)]


def common(first: Stretches, second: Stretches) -> Stretches:
    """What lies in both."""
    found = [(max(a, c), min(b, d)) for a, b in first for c, d in second]
    return sorted((begin, end) for begin, end in found if begin < end)


def without(stretches: Stretches, gone: Sequence[tuple[int, int]]) -> Stretches:
    """What is left of stretches when others are cut out; `gone` in order of its begins."""
    found = []
    for begin, end in stretches:
        at = begin
        for out, back in gone:
            if out > at:
                found.append((at, min(out, end)))
            at = max(at, back)
            if at >= end:
                break
        if at < end:
            found.append((at, end))
    return [(begin, end) for begin, end in found if begin < end]
