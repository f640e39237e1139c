import numpy as np
import pytest
from scipy import ndimage

from processing.overlap import dice, dice_at_thresholds, hausdorff95_px, iou


def square(x, y, side, n=40):
    mask = np.zeros((n, n), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_that_shifted_squares_give_the_figures_worked_out_by_hand():
    first, second = square(5, 5, 10), square(10, 5, 10)
    assert dice(first, second) == pytest.approx(0.5)
    assert iou(first, second) == pytest.approx(1 / 3)
    assert hausdorff95_px(first, second) == pytest.approx(5.0)


def test_that_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    assert (dice(empty, empty), iou(empty, empty), hausdorff95_px(empty, empty)) == (1.0, 1.0, 0.0)
    assert (dice(empty, full), iou(empty, full), hausdorff95_px(empty, full)) == (0.0, 0.0, float("inf"))


def test_that_the_border_distance_equals_the_slow_search_over_all_pairs():
    rng = np.random.default_rng(3)
    for _ in range(5):
        first, second = rng.random((20, 23)) > 0.6, rng.random((20, 23)) > 0.7
        assert hausdorff95_px(first, second) == pytest.approx(slow_hausdorff95(first, second))


def slow_hausdorff95(first, second):
    def border(mask):
        padded = np.pad(mask, 1)
        h, w = mask.shape
        inner = padded[:h, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :w] & padded[1:-1, 2:]
        return np.argwhere(mask & ~inner)

    a, b = border(first), border(second)
    distances = np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2))
    return max(np.percentile(distances.min(axis=1), 95), np.percentile(distances.min(axis=0), 95))


def test_that_masks_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="different sizes"):
        dice(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
    with pytest.raises(ValueError, match="boolean"):
        dice(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))


def test_that_many_thresholds_at_once_give_what_one_at_a_time_gives():
    rng = np.random.default_rng(2)
    values = rng.integers(0, 21, (30, 40)).astype(np.float32) / np.float32(20)
    mask = rng.random((30, 40)) > 0.6
    thresholds = np.round(np.arange(0.05, 1.0, 0.05), 2)
    expected = [dice(values >= t, mask) for t in thresholds.astype(np.float32)]
    assert dice_at_thresholds(values, mask, thresholds) == pytest.approx(expected)
    empty = np.zeros((3, 3), np.float32)
    assert dice_at_thresholds(empty, empty > 0, thresholds).tolist() == [1.0] * len(thresholds)


def shapes(n: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs of masks as people draw them: blobs moved, with holes, in several parts, at the edge, one pixel."""
    rng = np.random.default_rng(11)
    found = []
    for number in range(n):
        height, width = (int(v) for v in rng.integers(40, 160, 2))
        smooth = ndimage.gaussian_filter(rng.standard_normal((height, width)), 6)
        first = smooth > np.quantile(smooth, 0.8)
        second = np.roll(first, (int(rng.integers(-9, 9)), int(rng.integers(-9, 9))), (0, 1))
        second ^= ndimage.gaussian_filter(rng.standard_normal((height, width)), 4) > 0.11
        found.append((f"blobs {number}", first, second))
    one, square = np.zeros((30, 50), np.bool_), np.zeros((30, 50), np.bool_)
    one[29, 49] = True
    square[:12, :12] = True
    square[4:7, 4:7] = False
    return [*found, ("one pixel and a ring at the edge", one, square)]


SHAPES = shapes(20)
EACH = pytest.mark.parametrize(("first", "second"), [(a, b) for _, a, b in SHAPES], ids=[name for name, _, _ in SHAPES])


@EACH
def test_that_hausdorff95_equals_simpleitk_distance_maps(first: np.ndarray, second: np.ndarray) -> None:
    sitk = pytest.importorskip("SimpleITK")

    def border(mask: np.ndarray) -> np.ndarray:
        # Borders in SimpleITK's way need a rim: a mask at the edge of the image ends there.
        padded = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
        return sitk.GetArrayFromImage(sitk.BinaryContour(padded, fullyConnected=False))[1:-1, 1:-1] > 0

    def distances(source: np.ndarray, to: np.ndarray) -> np.ndarray:
        image = sitk.GetImageFromArray(to.astype(np.uint8))
        field = sitk.SignedMaurerDistanceMap(image, squaredDistance=True, useImageSpacing=False)
        # Below zero is inside; a border pixel of both is no way apart.
        return np.sqrt(np.maximum(sitk.GetArrayFromImage(field)[source].astype(np.float64), 0))

    a, b = border(first), border(second)
    expected = max(np.percentile(distances(a, b), 95), np.percentile(distances(b, a), 95))
    assert hausdorff95_px(first, second) == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore:monai:FutureWarning")
@EACH
def test_that_hausdorff95_dice_and_iou_equal_monai(first: np.ndarray, second: np.ndarray) -> None:
    torch = pytest.importorskip("torch", reason="MONAI needs torch")
    metrics = pytest.importorskip("monai.metrics", reason="MONAI is no part of Sightline: pip install monai")
    a, b = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (first, second))
    distance = metrics.compute_hausdorff_distance(a, b, include_background=True, percentile=95)
    assert hausdorff95_px(first, second) == pytest.approx(float(distance), rel=1e-6, abs=1e-6)
    assert dice(first, second) == pytest.approx(float(metrics.compute_dice(a, b)), abs=1e-6)
    assert iou(first, second) == pytest.approx(float(metrics.compute_iou(a, b)), abs=1e-6)
