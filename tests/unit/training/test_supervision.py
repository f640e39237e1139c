from __future__ import annotations

import numpy as np
import pytest
import torch

from storage.snapshot_file import Snapshot
from training.augment import Batch, augment
from training.config import preset
from training.numbers import sample_keys
from training.supervision import label_source, planes_from_square


def test_that_levels_include_their_threshold_and_nest() -> None:
    square = np.array([[0.1, 0.3, 0.5, 0.7]], np.float32)
    planes = planes_from_square(square, preset("tiny", thresholds=(0.5, 0.3)))
    assert planes.targets[0].tolist() == [[0, 0, 1, 1]]
    assert planes.targets[1].tolist() == [[0, 1, 1, 1]]
    assert planes.weights is None


def test_that_the_uncertain_band_is_ignored_and_soft_targets_ramp() -> None:
    square = np.array([[0.1, 0.48, 0.5, 0.56, 0.9]], np.float32)
    planes = planes_from_square(square, preset("tiny", thresholds=(0.5,), uncertain_band=0.05, softness=0.1))
    assert planes.weights is not None
    assert planes.weights[0].tolist() == [[1, 0, 0, 1, 1]]
    np.testing.assert_allclose(planes.targets[0], [[0, 0.4, 0.5, 0.8, 1]], atol=1e-6)


@pytest.mark.parametrize("kind", ["point", "box", "scribble", "full"])
def test_that_rivals_are_made_from_the_mask_and_never_contradict_it(snapshot: Snapshot, kind: str) -> None:
    item = snapshot.items[0]
    mask = snapshot.mask(item)
    assert mask is not None
    config = preset("tiny", supervision=kind)
    source = label_source(snapshot, item, config)
    assert np.array_equal(source, label_source(snapshot, item, config))
    if kind == "box":
        assert (source[mask] == 1).all()
        assert source.mean() > mask.mean()
        return
    assert mask[source == 1].all()
    assert not mask[source == 0].any()
    known = float((source != 0.5).mean())
    assert known == 1.0 if kind == "full" else 0.001 < known < 0.2
    planes = planes_from_square(source, config)
    if kind != "full":
        assert planes.weights is not None
        assert float(planes.weights.mean()) == pytest.approx(known)


def _batch(n: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (n, 3, 32, 32), generator=generator).float()
    # The label is the image's first channel, so that any move must move both alike.
    return Batch(image, (image[:, :1] > 127).float(), None, None)


def test_that_flips_move_image_and_label_together_and_differ_between_epochs() -> None:
    config = preset("tiny", flips=True, geometric=0.0, photometric=0.0)
    seen = []
    for epoch in range(8):
        out = augment(_batch(), sample_keys(0, epoch, torch.arange(6)), config)
        assert torch.equal(out.targets, (out.image[:, :1] > 127).float())
        seen.append(out.image[0])
    assert len({tuple(image.flatten().tolist()) for image in seen}) > 1


def test_that_turns_and_zooms_ignore_what_comes_from_outside() -> None:
    config = preset("tiny", flips=False, geometric=1.0, photometric=0.0)
    out = augment(_batch(), sample_keys(0, 0, torch.arange(6)), config)
    assert out.weights is not None
    assert out.inside is not None
    assert (out.weights[~out.inside[:, None]] == 0).all()
    assert 0.3 < float(out.inside.float().mean()) < 1
    assert float(out.image.min()) >= 0
    assert float(out.image.max()) <= 255.5


def test_that_changes_of_light_leave_labels_alone_and_depend_on_the_sample_only() -> None:
    config = preset("tiny", flips=False, geometric=0.0, photometric=1.0)
    batch = _batch()
    out = augment(batch, sample_keys(0, 0, torch.arange(6)), config)
    assert torch.equal(out.targets, batch.targets)
    assert not torch.equal(out.image, batch.image)
    part = Batch(batch.image[3:5], batch.targets[3:5], None, None)
    again = augment(part, sample_keys(0, 0, torch.arange(3, 5)), config)
    torch.testing.assert_close(again.image, out.image[3:5])
