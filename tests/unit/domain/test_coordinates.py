from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.coordinates import Coordinates, WindowPlace
from domain.display import Display
from domain.view import ImageView

positive = st.floats(0.05, 20.0)
share = st.floats(-0.5, 1.5)


@st.composite
def chains(draw: st.DrawFn) -> tuple[Coordinates, WindowPlace, ImageView]:
    scale = draw(st.sampled_from([1.0, 1.25, 1.5, 2.0]))
    display = Display(
        (draw(st.integers(640, 7680)), draw(st.integers(480, 4320))),
        (draw(st.floats(200, 1000)), draw(st.floats(150, 700))),
        scale=scale,
    )
    tilt = draw(st.floats(-0.6, 0.6))
    width, height = display.size_mm
    down = np.array([0.0, -height * np.cos(tilt), height * np.sin(tilt)])
    upper_left = np.array([-width / 2, height + 12.0, 3.0])
    upper_right = np.array([width / 2, height + 12.0, 3.0])
    corners = tuple(tuple(float(v) for v in corner) for corner in (upper_left, upper_right, upper_left + down))
    view = ImageView(
        (draw(st.integers(1, 4000)), draw(st.integers(1, 4000))),
        (draw(st.floats(-3000, 3000)), draw(st.floats(-3000, 3000))),
        draw(positive),
        flip_x=draw(st.booleans()),
        flip_y=draw(st.booleans()),
    )
    window = WindowPlace((draw(st.floats(-2000, 2000)), draw(st.floats(-2000, 2000))), scale)
    return Coordinates(display, corners), window, view


@given(chains(), share, share)
def test_that_each_way_there_and_back_ends_where_it_began(
    chain: tuple[Coordinates, WindowPlace, ImageView], x: float, y: float
) -> None:
    coordinates, window, view = chain
    point = np.array([x, y])
    through_window = coordinates.norm_from_window(coordinates.window_from_norm(point, window), window)
    through_image = coordinates.norm_from_image(coordinates.image_from_norm(point, view), view)
    through_mm = coordinates.norm_from_mm(coordinates.mm_from_norm(point))
    for back in (through_window, through_image, through_mm):
        np.testing.assert_allclose(back, point, atol=1e-8)
    np.testing.assert_allclose(
        coordinates.image_from_window(coordinates.window_from_norm(point, window), window, view),
        coordinates.image_from_norm(point, view),
        atol=1e-5,
    )


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
def test_that_a_known_image_pixel_lies_where_it_was_drawn_at_any_scaling(scale: float) -> None:
    coordinates = Coordinates(Display((2560, 1440), (600.0, 340.0), scale=scale))
    window = WindowPlace((100.0, 50.0), scale)
    view = ImageView((100, 80), (300.0, 200.0), 4.0)  # physical pixels
    logical = ((300.0 + 4.0 * 10.5 - 100.0) / scale, (200.0 + 4.0 * 20.5 - 50.0) / scale)
    assert coordinates.image_from_window(logical, window, view) == pytest.approx([10.5, 20.5])


def test_that_degrees_come_from_where_the_eye_really_is() -> None:
    display = Display((1000, 1000), (400.0, 400.0), distance_mm=600.0)
    coordinates = Coordinates(display)
    near = coordinates.angle_deg((0.5, 0.5), (0.6, 0.5), (0.0, 200.0, 300.0))
    far = coordinates.angle_deg((0.5, 0.5), (0.6, 0.5), (0.0, 200.0, 600.0))
    assert near == pytest.approx(np.degrees(np.arctan(40 / 300)))
    assert far == pytest.approx(np.degrees(np.arctan(40 / 600)))
    assert coordinates.origin_mm() == pytest.approx([0.0, 200.0, 600.0])


def test_that_wrong_corners_are_refused() -> None:
    with pytest.raises(ValueError, match="corners"):
        Coordinates(Display((10, 10), (10, 10)), ((0.0, 0.0, 0.0),))
