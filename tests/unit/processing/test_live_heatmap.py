import numpy as np
import pytest

from domain.fixations import ImageFixations
from domain.labels import POLYP, LabelParameters
from processing.heatmap import fixation_heatmap
from processing.live_heatmap import LiveHeatmap

DEGREES = LabelParameters(heatmap_mode="degrees", sigma=1.2)


@pytest.mark.parametrize(("parameters", "per_deg"), [(POLYP, None), (DEGREES, (30.0, 25.0))], ids=["published", "deg"])
def test_that_the_live_map_ends_as_the_finished_one(parameters, per_deg):
    rng = np.random.default_rng(5)
    xy, duration = rng.uniform(0.05, 0.98, (20, 2)), rng.uniform(60, 600, 20)
    live = LiveHeatmap((312, 266), parameters, image_px_per_deg=per_deg)
    for place, length in zip(xy, duration, strict=True):
        live.add(tuple(place), length)
    fixations = ImageFixations(xy, duration, np.zeros(20), np.full(20, np.nan))
    finished = fixation_heatmap(fixations, (312, 266), parameters, image_px_per_deg=per_deg)
    assert np.abs(live.heatmap - finished).max() < (0.01 if per_deg is None else 0.03)


def test_that_one_look_or_many_short_ones_are_the_same():
    whole, pieces = LiveHeatmap((80, 60), POLYP), LiveHeatmap((80, 60), POLYP)
    whole.add((0.4, 0.6), 300)
    for _ in range(300):
        pieces.add((0.4, 0.6), 1)
    assert np.abs(whole.heatmap - pieces.heatmap).max() < 1e-4


def test_that_nothing_seen_is_zero_and_off_the_image_does_not_count():
    live = LiveHeatmap((40, 30), POLYP)
    live.add((1.2, 0.5), 300)
    live.add((float("nan"), 0.5), 300)
    assert not live.heatmap.any()
    live.add((0.5, 0.5), 300)
    assert live.heatmap.max() == 1.0
    live.clear()
    assert not live.heatmap.any()


def test_that_a_forgetting_map_prefers_what_was_seen_last():
    live = LiveHeatmap((100, 100), LabelParameters(sigma=30.0))
    live.add((0.2, 0.2), 300)
    live.fade(0.1)
    live.add((0.8, 0.8), 100)
    assert live.heatmap[79, 79] > live.heatmap[19, 19]
