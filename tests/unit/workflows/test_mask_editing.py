import itertools

import numpy as np
import pytest

from workflows.mask_editing import SMART_FILL_SHARE, Patch, holes_filled, painted, smart_fill, with_polygon


def test_that_a_patch_applied_twice_gives_the_mask_back_bit_for_bit():
    random = np.random.default_rng(1)
    for _ in range(50):
        height, width = random.integers(1, 60, 2)
        before, after = (random.random((height, width)) < 0.4 for _ in range(2))
        mask = before.copy()
        patch = Patch.between(before, after)
        patch.apply(mask)
        assert np.array_equal(mask, after)
        patch.apply(mask)
        assert np.array_equal(mask, before)


def test_that_a_stroke_paints_the_pixels_whose_centres_lie_within_the_radius_of_its_path():
    mask = np.zeros((40, 50), bool)
    path, radius = [(10.2, 12.7), (30.0, 20.0), (28.0, 33.0)], 4.3
    after, (top, left, bottom, right) = painted(mask, path, radius, adds=True)
    slow = np.zeros_like(mask)
    for row in range(40):
        for column in range(50):
            point = np.array([column + 0.5, row + 0.5])
            for start, end in itertools.pairwise(path):
                a, b = np.array(start), np.array(end)
                along = np.clip(np.dot(point - a, b - a) / np.dot(b - a, b - a), 0, 1)
                slow[row, column] |= np.linalg.norm(point - a - along * (b - a)) <= radius
    assert np.array_equal(after, slow)
    outside = np.ones_like(mask)
    outside[top:bottom, left:right] = False
    assert not after[outside].any()


def test_that_a_stroke_off_the_image_changes_nothing():
    mask = np.zeros((10, 10), bool)
    after, box = painted(mask, [(-50.0, -50.0)], 5.0, adds=True)
    assert not after.any()
    assert box == (0, 0, 0, 0)


def test_that_an_eraser_takes_away_only_what_it_touches():
    mask = np.ones((30, 30), bool)
    after, _ = painted(mask, [(15.0, 15.0)], 3.0, adds=False)
    assert not after[15, 15]
    assert after[0, 0]
    assert after.sum() == 900 - (~after).sum()


def test_that_a_rectangle_drawn_as_a_polygon_covers_exactly_its_pixels():
    after = with_polygon(np.zeros((20, 20), bool), [(3, 4), (9, 4), (9, 11), (3, 11)], adds=True)
    wanted = np.zeros((20, 20), bool)
    wanted[4:11, 3:9] = True
    difference = int((after ^ wanted).sum())
    assert difference <= 2 * (6 + 7)  # OpenCV draws the border itself too
    assert after[5:10, 4:8].all()
    assert not with_polygon(after, [(0, 0), (20, 0), (20, 20), (0, 20)], adds=False).any()


def test_that_fewer_than_three_corners_are_no_polygon():
    assert not with_polygon(np.zeros((9, 9), bool), [(1, 1), (5, 5)], adds=True).any()


def test_that_holes_are_filled_and_bays_are_not():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8] = True
    mask[3:5, 3:5] = False
    mask[6, 0:3] = False
    filled = holes_filled(mask)
    assert filled[3:5, 3:5].all()
    assert not filled[6, 1]


def test_that_a_smart_fill_takes_the_region_of_like_colour_and_stops_at_its_edge():
    image = np.full((80, 100, 3), (200, 120, 110), np.uint8)
    yy, xx = np.mgrid[:80, :100]
    disc = (xx - 40) ** 2 + (yy - 40) ** 2 < 15**2
    image[disc] = (150, 40, 40)
    after = smart_fill(np.zeros((80, 100), bool), image, (40.0, 40.0), tolerance=14, adds=True)
    assert 2 * (after & disc).sum() / (after.sum() + disc.sum()) > 0.95


def test_that_a_smart_fill_that_would_flood_the_image_changes_nothing():
    image = np.full((50, 50, 3), 90, np.uint8)
    mask = np.zeros((50, 50), bool)
    assert not smart_fill(mask, image, (25.0, 25.0), tolerance=14, adds=True).any()
    assert SMART_FILL_SHARE < 1


@pytest.mark.parametrize("at", [(-1.0, 5.0), (5.0, 50.0)])
def test_that_a_smart_fill_outside_the_image_changes_nothing(at):
    image = np.zeros((20, 20, 3), np.uint8)
    assert not smart_fill(np.zeros((20, 20), bool), image, at, tolerance=9, adds=True).any()
