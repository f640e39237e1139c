import numpy as np
import pytest

from domain.display import Display, angle_deg
from domain.view import ImageView

DISPLAY = Display(size_px=(1920, 1080), size_mm=(531.0, 299.0), distance_mm=650.0)


@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("flip_y", [False, True])
def test_that_image_and_screen_points_map_back_onto_themselves(flip_x, flip_y):
    view = ImageView((624, 532), (31.5, -20.25), 1.7, flip_x=flip_x, flip_y=flip_y)
    points = np.random.default_rng(0).uniform(-50, 700, (40, 2))
    assert np.allclose(view.image_xy_from_screen(view.screen_from_image_xy(points)), points, atol=1e-9)
    assert np.allclose(view.image_xy_from_norm(view.norm_from_image_xy(points, DISPLAY), DISPLAY), points, atol=1e-9)


def test_that_a_mirrored_image_swaps_its_left_and_right_edge():
    view = ImageView((100, 50), (10.0, 20.0), 2.0, flip_x=True)
    assert view.screen_from_image_xy([0, 0]).tolist() == [210.0, 20.0]
    assert view.image_xy_from_screen([10.0, 20.0]).tolist() == [100.0, 0.0]


def test_that_a_fitted_image_is_centred_and_touches_two_edges():
    view = ImageView.fitted((624, 532), (1920, 1080))
    left_top = view.screen_from_image_xy([0, 0])
    right_bottom = view.screen_from_image_xy([624, 532])
    assert np.allclose(left_top + right_bottom, [1920, 1080])
    assert left_top[1] == pytest.approx(0)


def test_that_pixels_per_degree_follow_from_size_and_distance():
    # 2 * 650 mm * tan(0.5 deg) = 11.345 mm; 1920 px / 531 mm = 3.6158 px/mm
    assert DISPLAY.px_per_deg()[0] == pytest.approx(41.02, abs=0.01)


def test_that_small_angles_are_exact():
    assert angle_deg([0, 0, 1], [1e-9, 0, 1]) == pytest.approx(np.degrees(1e-9), rel=1e-9)
