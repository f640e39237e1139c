"""From fixations on the display to fixations on the image that was shown there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.fixations import Fixations, ImageFixations
from domain.view import ImageView

ViewLog = Sequence[tuple[int, ImageView]]
"""Views in time order; each holds from its time (nanoseconds, the samples' clock) until the next begins."""


def to_image_fixations(
    fixations: Fixations,
    views: ViewLog,
    display: Display,
    *,
    start_ns: int,
    end_ns: int,
    ignore_first_ms: float = 0.0,
    slice_index: int | None = None,
) -> ImageFixations:
    """Place the fixations of one trial on its image.

    A fixation that was in flight when the trial began, or began within `ignore_first_ms` of it, is left out: its place
    was chosen before the image could be seen. One that outlasts the trial ends with it. One during which the image was
    moved, zoomed or another slice was shown is divided at that moment, since the eye then rested on two places of it.

    Args:
        fixations: as detected, on the display area.
        views: (time_ns, ImageView) in time order; what was looked at before the first view is left out.
        display: the screen the gaze was recorded on.
        start_ns: when the trial began.
        end_ns: when the trial ended.
        ignore_first_ms: how long after the start a fixation's beginning does not count yet.
        slice_index: keep only what was seen on this slice of a stack; None keeps all.

    Returns:
        Positions as shares of the image's width and height; they may lie outside 0-1 (off the image).

    Raises:
        ValueError: the views are not in time order, or the trial ends before it begins.
    """
    times = np.array([time for time, _ in views], np.int64)
    if np.any(np.diff(times) < 0):
        raise ValueError("the views must be in time order")
    if end_ns < start_ns:
        raise ValueError(f"the trial ends at {end_ns}, before it begins at {start_ns}")
    earliest = start_ns + round(ignore_first_ms * 1e6)
    rows: list[tuple[float, float, float, float, float]] = []
    for i in np.flatnonzero((fixations.onset_ns >= earliest) & (fixations.onset_ns < end_ns)):
        onset, offset = int(fixations.onset_ns[i]), min(int(fixations.offset_ns[i]), end_ns)
        for view, part_onset, part_offset in _parts(onset, offset, times, views):
            if slice_index is not None and view.slice_index != slice_index:
                continue
            x, y = view.image_xy_from_norm(fixations.centre_norm[i], display) / np.asarray(view.image_size)
            duration_ms, start_ms = (part_offset - part_onset) / 1e6, (part_onset - start_ns) / 1e6
            rows.append((float(x), float(y), duration_ms, start_ms, float(fixations.pupil_mm[i])))
    table = np.array(rows, np.float64).reshape(-1, 5)
    return ImageFixations(table[:, :2], table[:, 2], table[:, 3], table[:, 4])


def _parts(onset: int, offset: int, times: NDArray[np.int64], views: ViewLog) -> Iterator[tuple[ImageView, int, int]]:
    """The stretches of onset to offset during which one and the same view held."""
    begin, view = onset, _view_at(onset, times, views)
    for k in range(int(np.searchsorted(times, onset, "right")), int(np.searchsorted(times, offset, "left"))):
        if views[k][1] == view:
            continue
        if view is not None and times[k] > begin:
            yield view, begin, int(times[k])
        begin, view = int(times[k]), views[k][1]
    if view is not None and offset > begin:
        yield view, begin, offset


def _view_at(time_ns: int, times: NDArray[np.int64], views: ViewLog) -> ImageView | None:
    k = int(np.searchsorted(times, time_ns, "right")) - 1
    return views[k][1] if k >= 0 else None
