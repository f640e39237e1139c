import numpy as np

from resources.sample_study.frames import synthetic_frame


def test_that_the_same_seed_draws_the_same_frame():
    first, second = synthetic_frame(3), synthetic_frame(3)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)


def test_that_a_frame_without_polyp_has_an_empty_mask():
    assert not synthetic_frame(3, has_polyp=False).mask.any()


def test_that_the_polyp_is_visible_where_the_mask_says():
    frame = synthetic_frame(5)
    assert 0.02 < frame.mask.mean() < 0.4
    saturation = frame.image[..., 0].astype(int) - frame.image[..., 2]
    assert saturation[frame.mask].mean() > saturation[~frame.mask].mean() + 10
