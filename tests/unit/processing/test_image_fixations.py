import numpy as np
import pytest

from domain.fixations import Fixations
from domain.view import ImageView
from processing.image_fixations import to_image_fixations

MS = 1_000_000


def fixations_of(*rows):
    """(onset ms, offset ms, x, y) on the display area."""
    table = np.array(rows, float)
    n = len(table)
    return Fixations(
        first=np.arange(n),
        last=np.arange(n),
        onset_ns=(table[:, 0] * MS).astype(np.int64),
        offset_ns=(table[:, 1] * MS).astype(np.int64),
        centre_norm=table[:, 2:4],
        dispersion_deg=np.zeros(n),
        pupil_mm=np.full(n, 3.5),
    )


def test_that_a_fixation_lands_where_the_image_was_drawn(display):
    view = ImageView((600, 400), (360.0, 140.0), 2.0)
    place = display.norm_from_px(np.array([360 + 2 * 150.0, 140 + 2 * 300.0]))
    found = to_image_fixations(
        fixations_of((500, 700, *place)), [(0, view)], display, start_ns=100 * MS, end_ns=5000 * MS
    )
    assert found.xy_norm == pytest.approx(np.array([[0.25, 0.75]]))
    assert (found.duration_ms[0], found.start_ms[0], found.pupil[0]) == (200.0, 400.0, 3.5)


def test_that_only_the_trial_counts(display):
    rows = fixations_of((0, 90, 0.5, 0.5), (80, 300, 0.5, 0.5), (310, 500, 0.5, 0.5), (900, 1200, 0.5, 0.5))
    view = ImageView((600, 400), (0.0, 0.0), 1.0)
    window = {"start_ns": 100 * MS, "end_ns": 1000 * MS}
    whole = to_image_fixations(rows, [(0, view)], display, **window)
    assert whole.duration_ms.tolist() == [190.0, 100.0]
    assert whole.start_ms.tolist() == [210.0, 800.0]
    late = to_image_fixations(rows, [(0, view)], display, **window, ignore_first_ms=300)
    assert late.start_ms.tolist() == [800.0]


def test_that_a_fixation_is_divided_where_the_image_moved_under_it(display):
    near = ImageView((600, 400), (0.0, 0.0), 1.0, slice_index=3)
    far = near.moved((300.0, 0.0), 1.0)
    other_slice = ImageView((600, 400), (300.0, 0.0), 1.0, slice_index=4)
    views = [(0, near), (150 * MS, near), (200 * MS, far), (250 * MS, other_slice)]
    rows = fixations_of((100, 300, 450 / 1920, 200 / 1080))
    parts = to_image_fixations(rows, views, display, start_ns=0, end_ns=1000 * MS)
    assert parts.duration_ms.tolist() == [100.0, 50.0, 50.0]
    assert parts.xy_norm[:, 0] == pytest.approx([0.75, 0.25, 0.25])
    only = to_image_fixations(rows, views, display, start_ns=0, end_ns=1000 * MS, slice_index=4)
    assert only.duration_ms.tolist() == [50.0]


def test_that_nothing_is_seen_before_the_first_view(display):
    rows = fixations_of((100, 300, 0.5, 0.5))
    view = ImageView((600, 400), (0.0, 0.0), 1.0)
    assert len(to_image_fixations(rows, [], display, start_ns=0, end_ns=1000 * MS)) == 0
    late = to_image_fixations(rows, [(200 * MS, view)], display, start_ns=0, end_ns=1000 * MS)
    assert late.duration_ms.tolist() == [100.0]


def test_that_views_out_of_order_are_refused(display):
    view = ImageView((600, 400), (0.0, 0.0), 1.0)
    with pytest.raises(ValueError, match="time order"):
        to_image_fixations(fixations_of((0, 1, 0, 0)), [(5, view), (4, view)], display, start_ns=0, end_ns=9)
