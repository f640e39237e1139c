from __future__ import annotations

import json

import numpy as np
import pytest

from domain.display import Display
from domain.markers import IMAGE_ONSET, VIEW_CHANGE, Marker, ViewLog, view_as_json, view_from_json
from domain.scene import Scene
from domain.session import trials_of
from domain.view import ImageView

DISPLAY = Display((1000, 500), (500.0, 250.0))
VIEW = ImageView((100, 50), (0.0, 0.0), 10.0, flip_x=True, slice_index=3)


def onset(time_ns: int, trial_id: str = "t", view: ImageView = VIEW) -> Marker:
    return Marker(
        IMAGE_ONSET, {"trial_id": trial_id, "image_id": "i", "view": view_as_json(view)}, submitted_ns=time_ns
    )


def test_that_the_time_that_counts_is_the_latest_known() -> None:
    assert Marker("x", scheduled_ns=1).time_ns == 1
    assert Marker("x", scheduled_ns=1, submitted_ns=2).time_ns == 2
    assert Marker("x", scheduled_ns=1, submitted_ns=2, presented_ns=3).time_ns == 3


def test_that_markers_and_views_survive_json() -> None:
    marker = onset(5)
    assert Marker.from_json(json.loads(json.dumps(marker.as_json()))) == marker
    assert view_from_json(json.loads(json.dumps(view_as_json(VIEW)))) == VIEW


def test_that_each_sample_goes_through_the_view_that_held_at_its_time() -> None:
    moved = VIEW.moved((200.0, 100.0), 5.0)
    log = ViewLog.from_markers([onset(100), Marker(VIEW_CHANGE, {"view": view_as_json(moved)}, presented_ns=200)])
    gaze = np.full((4, 2), 0.5)
    xy = log.image_xy([50, 100, 199, 200], gaze, DISPLAY)
    assert np.isnan(xy[0]).all()
    np.testing.assert_allclose(xy[1:3], [[50.0, 25.0]] * 2)
    np.testing.assert_allclose(xy[3], [100 - 60.0, 30.0])


def test_that_a_view_log_whose_time_falls_is_refused() -> None:
    with pytest.raises(ValueError, match="fall"):
        ViewLog(np.array([2, 1]), (VIEW, VIEW))


def test_that_a_trial_that_never_ended_ends_with_the_recording() -> None:
    first, second = trials_of([onset(10, "a"), onset(30, "b")], 99)
    assert (first.trial_id, first.onset_ns, first.offset_ns) == ("a", 10, 99)
    assert second.offset_ns == 99


def test_that_a_scene_survives_its_message() -> None:
    mask = np.zeros((50, 100), np.bool_)
    mask[10:20, 30:77] = True
    scene = Scene(DISPLAY, VIEW, mask, points_norm=((0.1, 0.2),), dwell_s=0.4)
    values, blob = scene.to_message()
    back = Scene.from_message(json.loads(json.dumps(values)), blob)
    np.testing.assert_array_equal(back.mask, mask)  # type: ignore[arg-type]
    assert (back.display, back.view, back.points_norm, back.dwell_s) == (DISPLAY, VIEW, ((0.1, 0.2),), 0.4)
    assert Scene.from_message(*Scene(DISPLAY).to_message()).mask is None


@pytest.mark.parametrize(("mask", "view"), [(np.zeros((3, 3), np.bool_), VIEW), (np.zeros((50, 100), np.bool_), None)])
def test_that_a_mask_that_does_not_fit_is_refused(mask: np.ndarray, view: ImageView | None) -> None:
    with pytest.raises(ValueError, match=r"mask"):
        Scene(DISPLAY, view, mask)


def test_that_the_slice_shown_at_a_time_is_known_and_minus_one_before_the_first():
    views = tuple(ImageView((8, 8), (0.0, 0.0), 1.0, slice_index=number) for number in (3, 4, 3))
    log = ViewLog(np.array([10, 20, 30]), views)
    assert log.slice_at([5, 10, 19, 20, 29, 30, 99]).tolist() == [-1, 3, 3, 4, 4, 3, 3]
