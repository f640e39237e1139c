import numpy as np
import pytest

from domain.errors import Cancelled
from domain.events import CancelToken
from domain.fixations import ImageFixations
from domain.labels import LabelParameters
from processing.heatmap import fixation_heatmap
from processing.overlap import dice
from processing.refiner import refiners


def disc_image(radius=42, size=(200, 160)):
    """A bright disc on a dark ground, its mask, and gaze on it."""
    y, x = np.mgrid[: size[1], : size[0]]
    mask = (x - 100) ** 2 + (y - 80) ** 2 <= radius**2
    rng = np.random.default_rng(0)
    colours = np.where(mask[..., None], [190, 120, 90], [70, 50, 40])
    image = np.clip(colours + rng.normal(0, 4, colours.shape), 0, 255)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    xy = np.column_stack([100 + 0.6 * radius * np.cos(angles), 80 + 0.6 * radius * np.sin(angles)]) / [200, 160]
    fixations = ImageFixations(xy, np.full(12, 250.0), np.arange(12) * 300.0, np.full(12, np.nan))
    return image.astype(np.uint8), mask, fixations


@pytest.mark.parametrize("name", ["none", "crf", "grabcut", "random_walker"])
class TestEveryRefiner:
    def refined(self, name, **more):
        image, mask, fixations = disc_image()
        parameters = LabelParameters(source=name, sigma=60.0)
        heatmap = fixation_heatmap(fixations, (200, 160), parameters)
        return refiners.get(name)().refine(image, heatmap, fixations, parameters, **more), heatmap, mask

    def test_that_the_map_has_the_form_of_the_heatmap(self, name):
        refined, heatmap, _ = self.refined(name)
        assert refined.shape == heatmap.shape
        assert refined.dtype == np.float32
        assert 0 <= refined.min() <= refined.max() <= 1

    def test_that_the_same_input_gives_the_same_map(self, name):
        assert np.array_equal(self.refined(name)[0], self.refined(name)[0])

    def test_that_a_target_with_clear_borders_is_not_lost(self, name):
        refined, heatmap, mask = self.refined(name)
        assert dice(refined >= 0.5, mask) >= dice(heatmap >= 0.5, mask)

    def test_that_without_gaze_there_is_no_label(self, name):
        image, _, _ = disc_image()
        empty = np.zeros((160, 200), np.float32)
        parameters = LabelParameters(source=name)
        assert not refiners.get(name)().refine(image, empty, ImageFixations.empty(), parameters).any()

    def test_that_gaze_everywhere_is_no_error(self, name):
        image, _, fixations = disc_image()
        heatmap = np.full((160, 200), 0.9, np.float32)
        refined = refiners.get(name)().refine(image, heatmap, fixations, LabelParameters(source=name))
        assert np.isfinite(refined).all()

    def test_that_a_tiny_image_is_no_error(self, name):
        _, _, fixations = disc_image()
        image, heatmap = np.zeros((3, 2, 3), np.uint8), np.array([[0.1, 0.9], [0.2, 1.0], [0.0, 0.3]], np.float32)
        refined = refiners.get(name)().refine(image, heatmap, fixations, LabelParameters(source=name))
        assert refined.shape == (3, 2)


@pytest.mark.parametrize("name", ["crf", "grabcut", "random_walker"])
def test_that_refiners_stop_when_asked(name):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        TestEveryRefiner().refined(name, cancel=token)


@pytest.mark.parametrize("name", ["crf", "grabcut", "random_walker"])
def test_that_clear_borders_are_found(name):
    refined, _, mask = TestEveryRefiner().refined(name)
    assert dice(refined >= 0.5, mask) > 0.95


def test_that_levels_of_grabcut_lie_within_each_other():
    refined, _, _ = TestEveryRefiner().refined("grabcut")
    assert (refined >= 0.5).sum() <= (refined >= 0.3).sum()
