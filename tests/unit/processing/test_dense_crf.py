import threading
import time

import numpy as np
import pytest

from domain.errors import Cancelled
from domain.events import CancelToken
from processing.compiled import HAS_NUMBA
from processing.dense_crf import DenseCrf

needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed or switched off")


def textured_image(seed=0, size=(60, 80)):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    base = 120 + 80 * np.sin(x / 9) * np.cos(y / 7)
    return np.clip(base[..., None] + rng.normal(0, 6, (*size, 3)) + [20, 0, -20], 0, 255).astype(np.uint8)


def blob(size=(60, 80)):
    y, x = np.mgrid[: size[0], : size[1]]
    return np.exp(-((x - 40) ** 2 + (y - 30) ** 2) / 300).astype(np.float32)


@pytest.mark.parametrize("engine", [pytest.param("fast", marks=needs_numba), "sparse", "torch"])
@pytest.mark.parametrize("name", ["rgb-0", "rgb-1", "rgb-2", "rgb-3", "grey-0", "grey-1"])
def test_that_the_result_is_that_of_pydensecrf(data_folder, name, engine):
    with np.load(data_folder / "crf-oracles" / f"{name}.npz") as oracle:
        image, heatmap, expected = oracle["image"], oracle["heatmap"], oracle["refined"]
    refined = DenseCrf(image, engine=engine).refine(heatmap)
    assert np.abs(refined - expected).max() <= 1e-5
    for threshold in (0.2, 0.3, 0.4, 0.5):
        differs = (refined >= threshold) != (expected >= threshold)
        assert np.abs(expected[differs] - threshold).max(initial=0.0) < 1e-6


def test_that_mean_field_on_a_small_image_is_close_to_the_sum_over_all_pairs():
    image, heatmap = textured_image(size=(24, 30)), blob((24, 30))
    heatmap = heatmap * 0.9 + 0.02
    refined = DenseCrf(image, sxy=20, srgb=40).refine(heatmap)
    exact = exact_mean_field(image, heatmap, sxy=20, srgb=40)
    assert np.sqrt(np.mean((refined - exact) ** 2)) < 0.02


def exact_mean_field(image, heatmap, *, sxy, srgb, iterations=10):
    h, w = heatmap.shape
    y, x = np.mgrid[:h, :w]
    features = np.column_stack([x.ravel() / sxy, y.ravel() / sxy, image.reshape(-1, 3) / srgb])
    kernel = np.exp(-0.5 * ((features[:, None] - features[None]) ** 2).sum(axis=2))
    norm = 1 / np.sqrt(kernel.sum(axis=1))
    p = np.clip(np.stack([1 - heatmap.ravel(), heatmap.ravel()]), 1e-5, 1)
    q = p / p.sum(axis=0)
    for _ in range(iterations):
        energy = np.log(p) + np.stack([norm * (kernel @ (norm * one)) for one in q])
        q = np.exp(energy - energy.max(axis=0))
        q /= q.sum(axis=0)
    return q[1].reshape(h, w)


@needs_numba
@pytest.mark.parametrize("size", [(60, 80), (1, 300), (300, 1), (257, 513), (2, 2)])
@pytest.mark.parametrize("kind", ["texture", "constant", "grey", "noise"])
def test_that_both_engines_and_any_number_of_threads_give_the_same(kind, size):
    image = textured_image(size=size)
    if kind == "constant":
        image[:] = 77
    if kind == "grey":
        image[:] = image[..., :1]
    if kind == "noise":
        image = np.random.default_rng(1).integers(0, 256, image.shape, dtype=np.uint8)
    heatmap = np.random.default_rng(2).random(size, np.float32) * blob(size)
    expected = DenseCrf(image, engine="sparse").refine(heatmap)
    for threads in (1, 3):
        assert np.abs(DenseCrf(image, engine="fast", threads=threads).refine(heatmap) - expected).max() <= 2e-6


@pytest.mark.parametrize("size", [(60, 80), (1, 300), (2, 2)])
def test_that_torch_gives_the_same(size):
    pytest.importorskip("torch")
    image, heatmap = textured_image(size=size), np.random.default_rng(2).random(size, np.float32)
    expected = DenseCrf(image, engine="sparse").refine(heatmap)
    assert np.abs(DenseCrf(image, engine="torch").refine(heatmap) - expected).max() <= 1e-5
    with pytest.raises(ValueError, match="too large for this engine"):
        DenseCrf(textured_image(), sxy=0.01, engine="torch")


@needs_numba
def test_that_an_image_beyond_the_packed_keys_is_still_refined():
    image, heatmap = textured_image(), blob()
    narrow = {"sxy": 0.01, "srgb": 13.0}
    expected = DenseCrf(image, **narrow, engine="sparse").refine(heatmap)
    assert np.array_equal(DenseCrf(image, **narrow, engine="fast").refine(heatmap), expected)


def test_that_without_a_pairwise_term_the_heatmap_comes_back():
    heatmap = blob()
    assert np.abs(DenseCrf(textured_image(), compat=0.0).refine(heatmap) - np.clip(heatmap, 1e-5, 1)).max() < 2e-5


def test_that_swapping_the_labels_mirrors_the_result():
    crf, heatmap = DenseCrf(textured_image()), blob()
    assert np.abs(crf.refine(heatmap) - (1 - crf.refine(1 - heatmap))).max() < 1e-5


def test_that_the_same_lattice_serves_several_heatmaps():
    crf = DenseCrf(textured_image())
    first = crf.refine(blob())
    crf.refine(1 - blob())
    assert np.array_equal(first, crf.refine(blob()))


def test_that_progress_is_told_and_cancelling_stops():
    token, seen = CancelToken(), []

    def on_progress(progress):
        seen.append(progress.done)
        if progress.done == 3:
            token.cancel()

    with pytest.raises(Cancelled):
        DenseCrf(textured_image()).refine(blob(), on_progress=on_progress, cancel=token)
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("image", "heatmap", "message"),
    [
        (np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.float32), "an image"),
        (np.zeros((4, 5, 3), np.float32), np.zeros((4, 5), np.float32), "an image"),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32), "has shape"),
        (np.zeros((4, 5, 3), np.uint8), np.full((4, 5), np.nan, np.float32), "not finite"),
    ],
    ids=["no channels", "not 8 bit", "another shape", "not a number"],
)
def test_that_wrong_input_is_refused(image, heatmap, message):
    with pytest.raises(ValueError, match=message):
        DenseCrf(image).refine(heatmap)


@needs_numba
def test_that_a_thread_that_never_rests_does_not_hold_up_the_refinement():
    image, heatmap = textured_image(size=(512, 640)), blob((512, 640))
    crf = DenseCrf(image, engine="fast")
    crf.refine(heatmap)  # compiled from here on
    is_over = threading.Event()

    def spin():
        while not is_over.is_set():
            pass

    spinner = threading.Thread(target=spin)
    spinner.start()
    try:
        began = time.perf_counter()
        crf.refine(heatmap)
        seconds = time.perf_counter() - began
    finally:
        is_over.set()
        spinner.join()
    assert seconds < 2.0  # a call per block of pixels would wait for its turn 2400 times: 12 s
