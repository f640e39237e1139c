from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.preprocess import Preprocess
from training.resampling import placements, resample


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [32, 64, 96])
def test_that_the_matrices_equal_torchs_bilinear_resize_both_ways(size: int, antialias: bool) -> None:
    image = torch.rand(1, 3, 53, 77, generator=torch.Generator().manual_seed(1))
    rows, columns = placements(53, 77, size, keep_aspect=False)
    small = resample(image, rows.into_square(antialias=antialias), columns.into_square(antialias=antialias))
    expected = functional.interpolate(image, (size, size), mode="bilinear", antialias=antialias)
    torch.testing.assert_close(small, expected, rtol=0, atol=1e-5)
    back = resample(small, rows.out_of_square(antialias=antialias), columns.out_of_square(antialias=antialias))
    expected = functional.interpolate(small, (53, 77), mode="bilinear", antialias=antialias)
    torch.testing.assert_close(back, expected, rtol=0, atol=1e-5)


def test_that_a_kept_aspect_has_an_empty_border_and_comes_back_whole() -> None:
    shape = Preprocess(64, 3, keep_aspect=True, antialias=True, normalisation="imagenet")
    inside = shape.inside(30, 60)
    assert inside[:16].sum() == 0
    assert inside[16:48].all()
    assert inside[48:].sum() == 0
    square = torch.zeros(1, 64, 64)
    square[:, 16:48] = 1.0
    assert shape.back(square, 30, 60)[0, 2:-2].min() == 1.0


@pytest.mark.parametrize("kind", ["imagenet", "z-score"])
def test_that_what_is_outside_the_image_is_zero_for_the_network(kind: str) -> None:
    shape = Preprocess(64, 3, keep_aspect=True, antialias=True, normalisation=kind)
    inside = shape.inside(30, 60)[None]
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    image[:, :, ~inside[0]] = 0
    normal = shape.normalise(image, inside)
    assert normal[0, :, ~inside[0]].abs().max() == 0
    if kind == "z-score":
        shown = normal[0][:, inside[0]]
        assert abs(float(shown.mean())) < 1e-4
        assert float(shown.std()) == pytest.approx(1, abs=1e-2)
