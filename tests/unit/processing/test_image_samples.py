import numpy as np
import pytest

from benchmarks.gaze_cases import random_gaze
from domain.gaze import GazeSamples
from domain.labels import POLYP
from domain.view import ImageView
from processing.detector import detect
from processing.event import EventKind
from processing.heatmap import fixation_heatmap
from processing.image_fixations import to_image_fixations
from processing.image_samples import sample_heatmap, to_image_samples

VIEW = ImageView((800, 500), (160.0, 40.0), 2.0)


def look_around(display, *, rate_hz=300):
    """SIMULATED: five places for 400 ms each, with a little noise, and the eyes lost for a while."""
    rng = np.random.default_rng(4)
    places = rng.uniform(0.25, 0.75, (5, 2)) * [800, 500]
    n_each = int(0.4 * rate_hz)
    xy = np.repeat(places, n_each, axis=0) + rng.normal(0, 2, (5 * n_each, 2))
    records = random_gaze(rng, len(xy), rate_hz, 0.0, 0.0, 0.0, False).to_records()
    records["time_ns"] = np.arange(len(xy)) * round(1e9 / rate_hz)
    records["segment"] = 0
    records["gaze_norm"] = VIEW.norm_from_image_xy(xy, display)[:, None]
    records["gaze_valid"][100:130] = 0
    records["gaze_norm"][100:130] = np.nan
    return GazeSamples.from_records(records)


def test_that_the_map_of_samples_is_nearly_that_of_fixations(display):
    samples = look_around(display)
    found = detect("ivt", samples, display)
    window = {"start_ns": -10_000_000, "end_ns": 3_000_000_000}
    on_image = to_image_samples(samples, found.labels, [(0, VIEW)], display, **window)
    fixations = to_image_fixations(found.fixations, [(0, VIEW)], display, **window)
    assert on_image.duration_ms.sum() == pytest.approx(fixations.duration_ms.sum(), rel=0.15)
    by_samples = sample_heatmap(on_image, (200, 125), POLYP)
    assert np.abs(by_samples - fixation_heatmap(fixations, (200, 125), POLYP)).max() < 0.12


def test_that_saccades_lost_eyes_and_the_time_before_do_not_count(display):
    samples = look_around(display)
    labels = np.full(len(samples), EventKind.FIXATION, np.uint8)
    labels[:50] = EventKind.SACCADE
    window = {"start_ns": 0, "end_ns": 3_000_000_000}
    assert len(to_image_samples(samples, labels, [(0, VIEW)], display, **window)) == len(samples) - 30 - 50
    late = to_image_samples(samples, labels, [(0, VIEW)], display, **window, ignore_first_ms=1000)
    assert late.start_ms.min() >= 1000
    other = to_image_samples(samples, labels, [(0, VIEW)], display, **window, slice_index=3)
    assert len(other) == 0
    with pytest.raises(ValueError, match="labels for"):
        to_image_samples(samples, labels[:5], [(0, VIEW)], display, **window)
