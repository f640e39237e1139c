import csv
import warnings

import cv2
import numpy as np
import pytest
from scipy import ndimage

from domain.errors import UserFacingError
from domain.fixations import ImageFixations
from domain.labels import POLYP, PROSTATE, LabelParameters
from processing.heatmap import fixation_heatmap, published_u8, single_fixation_share

QUIRKS = LabelParameters(reproduce_published_quirks=True)


def fixations_of(rows):
    table = np.array(rows, float).reshape(-1, 3)
    n = len(table)
    return ImageFixations(table[:, :2], table[:, 2], np.zeros(n), np.full(n, np.nan))


def slow_published_u8(rows, size, sigma):
    """The published notebook's arithmetic, step by step, written from its description."""
    canvas = np.zeros((768, 768), np.float32)
    for x, y, duration in rows:
        canvas[round(float(y) * 768) - 1, round(float(x) * 768) - 1] += np.float32(duration)
    canvas = ndimage.gaussian_filter(canvas, sigma)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        canvas = (canvas - np.min(canvas)) / ((np.max(canvas) - np.min(canvas)) * 1.0)
        half = cv2.resize(canvas, dsize=size, interpolation=cv2.INTER_CUBIC).astype(np.float16)
        return (half * 255).astype(np.uint8)


def simulated_rows(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    centre, spread = rng.uniform(0.2, 0.8, 2), rng.uniform(0.01, 0.3)
    return np.column_stack([np.clip(rng.normal(centre, spread, (n, 2)), 0.002, 1.0), rng.integers(50, 900, n)])


@pytest.mark.parametrize(("seed", "size"), [(1, (624, 532)), (2, (320, 320)), (3, (1348, 1070))])
@pytest.mark.parametrize("parameters", [POLYP, QUIRKS], ids=["by rule", "with quirks"])
def test_that_the_published_8_bit_map_comes_out_to_the_last_bit(seed, size, parameters):
    rows = simulated_rows(seed)
    fast = published_u8(fixation_heatmap(fixations_of(rows), size, parameters))
    assert np.array_equal(fast, slow_published_u8(rows, size, 70))


def test_that_the_real_rows_give_the_published_map(data_folder):
    for name, parameters in (("kvasir_samples.csv", POLYP), ("nci-isbi_samples.csv", PROSTATE)):
        for size, rows in real_rows(data_folder / "gazemedseg-samples" / name).values():
            fast = published_u8(fixation_heatmap(fixations_of(rows), size, parameters))
            assert np.array_equal(fast, slow_published_u8(rows, size, parameters.sigma)), name


def real_rows(path):
    images = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            size = (int(row["IMAGE_WIDTH"]), int(row["IMAGE_HEIGHT"]))
            place = [float(row[f"CURRENT_FIX_{key}"]) for key in ("X", "Y", "DURATION")]
            images.setdefault(row["IMAGE"], (size, []))[1].append(place)
    return images


def test_that_no_fixation_gives_zeros_and_with_the_quirks_not_a_number():
    assert not fixation_heatmap(ImageFixations.empty(), (64, 48), POLYP).any()
    assert np.isnan(fixation_heatmap(ImageFixations.empty(), (64, 48), QUIRKS)).all()


def test_that_a_fixation_at_zero_stays_on_its_side_unless_the_quirks_are_wanted():
    corner = fixations_of([(0.0, 0.0, 200)])
    rule, quirk = (fixation_heatmap(corner, (768, 768), p) for p in (POLYP, QUIRKS))
    assert np.unravel_index(rule.argmax(), rule.shape) == (0, 0)
    assert np.unravel_index(quirk.argmax(), quirk.shape) == (767, 767)


@pytest.mark.parametrize(
    ("row", "error"),
    [((1.01, 0.5, 100), IndexError), ((np.nan, 0.5, 100), ValueError)],
    ids=["beyond the border", "not a number"],
)
def test_that_what_breaks_the_published_scripts_is_left_out_by_rule(row, error):
    assert not fixation_heatmap(fixations_of([row]), (64, 64), POLYP).any()
    with pytest.raises(error):
        fixation_heatmap(fixations_of([row]), (64, 64), QUIRKS)


def test_that_short_fixations_do_not_count():
    alone = fixation_heatmap(fixations_of([(0.3, 0.3, 200)]), (96, 96), POLYP)
    beside = fixation_heatmap(fixations_of([(0.3, 0.3, 200), (0.8, 0.8, 49)]), (96, 96), POLYP)
    assert np.array_equal(alone, beside)


def test_that_degrees_mode_is_a_gaussian_of_that_many_degrees():
    parameters = LabelParameters(heatmap_mode="degrees", sigma=1.5)
    heatmap = fixation_heatmap(fixations_of([(0.5, 0.5, 300)]), (401, 301), parameters, image_px_per_deg=(20.0, 16.0))
    y, x = np.mgrid[:301, :401]
    expected = np.exp(-0.5 * (((x - 200) / 30) ** 2 + ((y - 150) / 24) ** 2))
    inside = expected > 0.01
    assert np.abs(heatmap - expected)[inside].max() < 2e-3


def test_that_degrees_mode_asks_for_the_size_on_the_screen():
    with pytest.raises(UserFacingError, match="how large the image was"):
        fixation_heatmap(fixations_of([(0.5, 0.5, 300)]), (64, 64), LabelParameters(heatmap_mode="degrees", sigma=1.0))


def test_that_the_blob_floor_is_the_area_above_the_threshold_of_one_fixation():
    heatmap = fixation_heatmap(fixations_of([(0.5, 0.5, 300)]), (768, 768), POLYP)
    for threshold, published_share in ((0.5, 0.036), (0.3, 0.063)):
        share = single_fixation_share(threshold, (70 / 768, 70 / 768))
        assert share == pytest.approx(np.mean(heatmap >= threshold), rel=0.01)
        assert share == pytest.approx(published_share, abs=0.001)


def test_that_8_bit_maps_are_rounded_as_float16_arithmetic_rounds():
    halves = np.arange(0, 0x3C01, dtype=np.uint16).view(np.float16).astype(np.float32)
    middles = (halves[:-1] + halves[1:]) / 2  # ties between neighbouring float16
    rng = np.random.default_rng(0)
    for values in (halves, middles, rng.random(100_000, np.float32)):
        assert np.array_equal(published_u8(values), (values.astype(np.float16) * np.float16(255)).astype(np.uint8))
    assert published_u8(np.array([np.nan, -1e-5, 1.0001], np.float32)).tolist() == [0, 0, 255]
