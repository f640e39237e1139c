import numpy as np
import pytest

from domain.errors import Cancelled
from domain.events import CancelToken
from workflows.sample_study import NO_POLYP_EVERY, open_sample_study


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    with open_sample_study(tmp_path_factory.mktemp("home") / "sample", n_frames=8) as study:
        yield study


def test_that_each_frame_has_its_exact_mask_and_one_in_eight_has_no_polyp(sample):
    masks = [sample.ground_truth(image.image_id) for image in sample.images(search="synthetic")]
    empty = [mask is not None and not mask.any() for mask in masks]
    assert empty == [number % NO_POLYP_EVERY == NO_POLYP_EVERY - 1 for number in range(8)]


def test_that_the_real_slice_can_be_read_and_has_no_mask(sample):
    assert sample.pixels("ct_slice").size == (128, 128)
    assert sample.ground_truth("ct_slice") is None


def test_that_train_and_test_share_no_image(sample):
    train = {image.sha256 for image in sample.images(split="train")}
    test = {image.sha256 for image in sample.images(split="test")}
    assert train
    assert test
    assert not train & test


def test_that_the_second_opening_finds_the_same_study(sample):
    with open_sample_study(sample.folder) as again:
        assert again.study_id == sample.study_id
        assert np.array_equal(again.pixels("synthetic_001").values, sample.pixels("synthetic_001").values)


def test_that_a_cancelled_drawing_leaves_nothing(tmp_path):
    token = CancelToken()
    with pytest.raises(Cancelled):
        open_sample_study(tmp_path / "sample", n_frames=8, on_progress=lambda _: token.cancel(), cancel=token)
    assert list(tmp_path.iterdir()) == []
