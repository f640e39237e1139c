"""The window that grey values begin with: one for all slices, black for what is empty."""

from __future__ import annotations

import numpy as np
import pytest

from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack


def _volume() -> np.ndarray:
    """Three slices: tissue in air, air with a little noise, air alone."""
    rng = np.random.default_rng(3)
    volume = np.full((3, 40, 50), -1000, np.int16)
    volume[1] += rng.integers(0, 5, (40, 50), dtype=np.int16)
    volume[0, 10:30, 10:40] = rng.integers(0, 900, (20, 30), dtype=np.int16)
    return volume


def test_that_air_is_black_on_every_slice_of_a_volume():
    pixels = ImagePixels(_volume())
    assert len({pixels.default_window(index) for index in range(3)}) == 1
    for index in (1, 2):
        assert pixels.display_u8(index).max() <= 2
    assert pixels.display_u8(0).max() > 200


def test_that_air_is_black_on_every_slice_of_files_of_their_own():
    stack = SliceStack([lambda n=n: ImagePixels(_volume()[n : n + 1]) for n in range(3)], first=0)
    for index in (1, 2):
        assert stack.display_u8(index).max() <= 2
        assert stack.default_window(index) == stack.default_window(0)
    assert stack.display_u8(0).max() > 200


def test_that_a_stack_opened_at_an_empty_slice_still_shows_the_others():
    stack = SliceStack([lambda n=n: ImagePixels(_volume()[n : n + 1]) for n in range(3)], first=2)
    assert stack.display_u8(0).max() > 200
    assert stack.display_u8(2).max() == 0


def test_that_a_file_keeps_the_window_it_asks_for():
    asked = (40.0, 400.0)
    stack = SliceStack([lambda n=n: ImagePixels(_volume()[n : n + 1], asked if n else None) for n in range(3)], first=0)
    assert stack.default_window(1) == asked
    assert stack.default_window(0) != asked


@pytest.mark.parametrize("is_inverted", [False, True], ids=["plain", "inverted"])
@pytest.mark.parametrize("value", [-1000, 0, 7], ids=["air", "zero", "seven"])
def test_that_what_has_one_value_only_is_black(value: int, is_inverted: bool):
    assert ImagePixels(np.full((1, 8, 9), value, np.int16), is_inverted=is_inverted).display_u8().max() == 0


def test_that_an_image_alone_is_shown_by_its_own_percentiles():
    plane = _volume()[:1]
    low, high = np.percentile(plane.astype(float), (0.1, 99.9))
    assert ImagePixels(plane).default_window() == pytest.approx(((low + high) / 2, high - low))


def test_that_a_large_volume_is_looked_at_evenly():
    rng = np.random.default_rng(5)
    volume = rng.normal(100, 20, (40, 256, 256)).astype(np.float32)
    low, high = np.percentile(volume, (0.1, 99.9))
    assert ImagePixels(volume).default_window() == pytest.approx(((low + high) / 2, high - low), rel=0.03)
