import numpy as np
import pytest

from domain.errors import UserFacingError
from domain.fixations import ImageFixations
from domain.labels import POLYP, LabelMaps, LabelParameters
from processing.labels import make_label_maps, merge_label_maps, no_target_maps, second_peaks

HEATMAP_ONLY = LabelParameters(source="none")


def fixations_of(*rows):
    table = np.array(rows, float).reshape(-1, 3)
    return ImageFixations(table[:, :2], table[:, 2], np.zeros(len(table)), np.full(len(table), np.nan))


def image(size=(120, 96)):
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)


def test_that_maps_have_the_size_of_the_image_and_one_mask_per_level():
    maps = make_label_maps(image(), fixations_of((0.4, 0.5, 400), (0.6, 0.5, 300)), POLYP)
    assert maps.heatmap.shape == maps.refined.shape == (96, 120)
    assert [level.shape for level in maps.levels] == [(96, 120)] * 2
    assert maps.levels[0].sum() < maps.levels[1].sum()


def test_that_a_less_watched_second_target_below_every_level_is_told():
    rows = fixations_of((0.25, 0.25, 3000), (0.75, 0.75, 800))
    maps = make_label_maps(image(), rows, HEATMAP_ONLY)
    peaks = second_peaks(maps.heatmap)
    assert len(peaks) == 1
    assert peaks[0][2] == pytest.approx(0.267, abs=0.01)
    assert any("second peak of 0.27" in warning for warning in maps.warnings)
    equal = make_label_maps(image(), fixations_of((0.25, 0.25, 900), (0.75, 0.75, 800)), HEATMAP_ONLY)
    assert not any("second peak" in warning for warning in equal.warnings)


def test_that_a_target_no_larger_than_one_fixation_is_told():
    alone = make_label_maps(image(), fixations_of((0.5, 0.5, 300)), HEATMAP_ONLY)
    assert sum("hardly more than one fixation" in warning for warning in alone.warnings) == 2
    around = [(0.5 + 0.2 * np.cos(a), 0.5 + 0.2 * np.sin(a), 300) for a in np.linspace(0, 6, 14)]
    wide = make_label_maps(image(), fixations_of(*around), HEATMAP_ONLY)
    assert not any("hardly more" in warning for warning in wide.warnings)


@pytest.mark.parametrize("source", ["none", "crf"])
def test_that_no_fixation_gives_an_empty_label_with_a_warning(source):
    maps = make_label_maps(image(), ImageFixations.empty(), LabelParameters(source=source))
    assert not maps.refined.any()
    assert maps.warnings == ("No fixation on the image: the label is empty.",)


def test_that_an_image_without_target_has_empty_levels():
    assert not any(level.any() for level in no_target_maps((30, 20), POLYP).levels)


def test_that_several_annotators_are_merged_as_the_mean_of_their_maps():
    one = make_label_maps(image(), fixations_of((0.3, 0.5, 400)), HEATMAP_ONLY)
    two = make_label_maps(image(), fixations_of((0.7, 0.5, 900)), HEATMAP_ONLY)
    nobody = make_label_maps(image(), ImageFixations.empty(), HEATMAP_ONLY)
    merged = merge_label_maps([one, two, nobody])
    mean = (one.heatmap + two.heatmap) / 2
    assert np.allclose(merged.heatmap, (mean - mean.min()) / (mean.max() - mean.min()), atol=1e-6)
    assert merged.heatmap.max() == 1.0
    with pytest.raises(ValueError, match="no maps"):
        merge_label_maps([])
    with pytest.raises(ValueError, match="different sizes"):
        merge_label_maps([one, LabelMaps(mean[:5], mean[:5], POLYP)])


def test_that_an_unknown_source_names_those_there_are():
    with pytest.raises(UserFacingError, match=r"no refiner called .magic.*crf, "):
        make_label_maps(image(), fixations_of((0.5, 0.5, 300)), LabelParameters(source="magic"))
