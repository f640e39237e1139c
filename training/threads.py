"""How many threads a training takes where somebody works at a window beside it."""

from __future__ import annotations

import os

import psutil


def threads_beside_a_window() -> int:
    """One processor less than there are, and no more than have arithmetic of their own, as torch counts them.

    The number belongs to a run's configuration, since the last bits of its sums depend on it.
    """
    try:
        n_here = len(os.sched_getaffinity(0))
    except AttributeError:  # Windows and macOS do not tell
        n_here = os.cpu_count() or 1
    n_whole = psutil.cpu_count(logical=False) or n_here
    return max(1, min(n_here - 1, n_whole))
