from __future__ import annotations

from dataclasses import replace

import pytest

from acquisition.display_area import display_corners
from acquisition.screen_check import (
    WrongScreenError,
    display_area_problems,
    require_display_area,
    require_screen,
    screen_problems,
)
from domain.display import Display

SCREEN = Display((1920, 1080), (527.0, 296.0), name="DP-1", serial="A1", scale=1.5)


def test_that_the_same_screen_is_let_through() -> None:
    require_screen(SCREEN, replace(SCREEN, distance_mm=500.0))
    require_display_area(SCREEN, display_corners(SCREEN))
    assert display_area_problems(SCREEN, ()) == []


@pytest.mark.parametrize(
    ("present", "word"),
    [
        pytest.param(replace(SCREEN, serial="B2"), "serial", id="another serial"),
        pytest.param(replace(SCREEN, serial="", name="HDMI-1"), "HDMI-1", id="another name"),
        pytest.param(replace(SCREEN, size_px=(2560, 1440)), "2560 x 1440", id="another resolution"),
        pytest.param(replace(SCREEN, scale=1.0), "scaling is 100%, not 150%", id="another scaling"),
        pytest.param(replace(SCREEN, size_mm=(600.0, 340.0)), "600 x 340 mm", id="another size"),
        pytest.param(replace(SCREEN, origin_px=(1920, 0)), "elsewhere", id="another place"),
    ],
)
def test_that_another_screen_is_refused_with_the_reason(present: Display, word: str) -> None:
    (problem,) = screen_problems(SCREEN, present)
    assert word in problem
    with pytest.raises(WrongScreenError, match=word.split()[0]):
        require_screen(SCREEN, present)


@pytest.mark.parametrize(
    ("corners", "word"),
    [
        pytest.param(display_corners(Display((1, 1), (344.0, 194.0))), "344 x 194 mm", id="a laptop's display area"),
        pytest.param(((0, 0, 0), (0, 0, 0), (0, 0, 0)), "no display area", id="nothing set"),
        pytest.param(((0, 296, 0), (527, 296, 0), (60, 6, 0)), "rectangle", id="askew"),
    ],
)
def test_that_a_display_area_of_another_screen_is_refused(
    corners: tuple[tuple[float, float, float], ...], word: str
) -> None:
    with pytest.raises(WrongScreenError, match=word):
        require_display_area(SCREEN, corners)
