"""Agreement: closed forms, slow loops and reference libraries give the same numbers."""

import numpy as np
import pytest

from processing.agreement import cohen_kappa, majority, pairs, staple
from processing.overlap import dice, hausdorff95_px

RNG = np.random.default_rng(11)


def blob(centre: tuple[float, float], radius: float, noise: float = 0.0) -> np.ndarray:
    rows, columns = np.mgrid[:60, :80]
    inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
    return inside ^ (RNG.random(inside.shape) < noise)


MASKS = [blob((30, 40), 15, 0.01), blob((32, 41), 14, 0.02), blob((28, 38), 17, 0.005), blob((30, 43), 12)]


def test_that_kappa_of_cohens_table_is_his() -> None:
    # 2 x 2 table 20, 5, 10, 15: observed 0.70, expected 0.50, kappa 0.40
    first = np.repeat([True, True, False, False], [20, 5, 10, 15])[None]
    second = np.repeat([True, False, True, False], [20, 5, 10, 15])[None]
    assert cohen_kappa(first, second) == pytest.approx(0.4, abs=1e-12)


def test_that_kappa_is_1_for_equal_masks_also_where_they_are_empty() -> None:
    assert cohen_kappa(MASKS[0], MASKS[0]) == 1.0
    assert cohen_kappa(np.zeros((3, 3), np.bool_), np.zeros((3, 3), np.bool_)) == 1.0


def test_that_kappa_equals_the_reference_library() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    wanted = metrics.cohen_kappa_score(MASKS[0].ravel(), MASKS[1].ravel())
    assert cohen_kappa(MASKS[0], MASKS[1]) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_that_staple_equals_the_reference_library(n: int) -> None:
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    images = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in MASKS[:n]]
    reference = sitk.STAPLEImageFilter()
    reference.SetForegroundValue(1.0)
    wanted = sitk.GetArrayFromImage(reference.Execute(images))
    ours = staple(MASKS[:n], tolerance=1e-7)  # ITK stops where squared changes are below 1e-14
    assert np.abs(ours.probability - wanted).max() < 1e-6
    assert ours.sensitivity == pytest.approx(reference.GetSensitivity(), abs=1e-6)
    assert ours.specificity == pytest.approx(reference.GetSpecificity(), abs=1e-6)


def test_that_dice_and_distance_equal_the_reference_library() -> None:
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in MASKS[:2]))
    assert dice(MASKS[0], MASKS[1]) == pytest.approx(overlap.GetDiceCoefficient(), abs=1e-6)


def test_that_the_distance_equals_the_slow_loop() -> None:
    first, second = blob((30, 40), 10), blob((33, 45), 12)

    def border(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask, 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        return np.argwhere(mask & ~inner)

    a, b = border(first), border(second)
    distances = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    wanted = max(np.percentile(distances.min(1), 95), np.percentile(distances.min(0), 95))
    assert hausdorff95_px(first, second) == pytest.approx(wanted, abs=1e-9)


def test_that_the_majority_is_more_than_half() -> None:
    stack = [np.array([[1, 1, 1, 0]], np.bool_), np.array([[1, 1, 0, 0]], np.bool_), np.array([[1, 0, 0, 0]], np.bool_)]
    assert majority(stack).tolist() == [[True, True, False, False]]
    assert majority(stack[:2]).tolist() == [[True, True, False, False]]


def test_that_staple_trusts_the_annotators_who_agree() -> None:
    truth = blob((30, 40), 15)
    masks = [truth, truth.copy(), blob((10, 10), 8)]
    estimate = staple(masks)
    assert np.array_equal(estimate.mask, truth)
    assert estimate.sensitivity[2] < 0.2


@pytest.mark.parametrize("value", [True, False])
def test_that_staple_of_equal_masks_is_that_mask(value: bool) -> None:
    mask = np.full((4, 4), value)
    assert np.array_equal(staple([mask, mask]).mask, mask)


def test_that_every_pair_is_compared_and_sizes_must_fit() -> None:
    found = pairs("i", "t", {"c": MASKS[0], "a": MASKS[1], "b": MASKS[2]})
    assert [(p.first, p.second) for p in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    with pytest.raises(ValueError, match="sizes"):
        majority([MASKS[0], MASKS[0][:5]])
    with pytest.raises(ValueError, match="at least one"):
        staple([])
