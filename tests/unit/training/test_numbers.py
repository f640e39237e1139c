from __future__ import annotations

import torch

from training.numbers import epoch_order, normals, sample_keys, uniforms


def test_that_a_samples_numbers_do_not_depend_on_its_batch() -> None:
    samples = torch.arange(10)
    whole = uniforms(sample_keys(7, 3, samples), 5, stream=1)
    alone = uniforms(sample_keys(7, 3, samples[6:7]), 5, stream=1)
    assert torch.equal(whole[6:7], alone)


def test_that_seed_epoch_sample_and_stream_each_change_the_numbers() -> None:
    one = torch.tensor([4])
    base = uniforms(sample_keys(0, 0, one), 4, stream=0)
    others = [
        uniforms(sample_keys(1, 0, one), 4, stream=0),
        uniforms(sample_keys(0, 1, one), 4, stream=0),
        uniforms(sample_keys(0, 0, one + 1), 4, stream=0),
        uniforms(sample_keys(0, 0, one), 4, stream=1),
    ]
    assert all(not torch.equal(base, other) for other in others)


def test_that_the_numbers_are_spread_evenly_and_unrelated() -> None:
    u = uniforms(sample_keys(0, 0, torch.arange(2000)), 50, stream=2)
    assert abs(float(u.mean()) - 0.5) < 0.005
    assert abs(float(u.var()) - 1 / 12) < 0.002
    assert abs(float(torch.corrcoef(u[:, :8].T).fill_diagonal_(0).abs().max())) < 0.08
    z = normals(sample_keys(0, 0, torch.arange(2000)), 50, stream=2)
    assert abs(float(z.mean())) < 0.01
    assert abs(float(z.std()) - 1) < 0.01


def test_that_flips_differ_between_epochs_and_are_fair() -> None:
    flips = [uniforms(sample_keys(0, epoch, torch.arange(500)), 2, stream=1) < 0.5 for epoch in range(3)]
    assert not torch.equal(flips[0], flips[1])
    assert all(0.4 < float(f.float().mean()) < 0.6 for f in flips)


def test_that_an_epochs_order_is_a_permutation_of_its_own() -> None:
    orders = [epoch_order(0, epoch, 20) for epoch in range(3)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert any((orders[0] != orders[1]).tolist())
    assert (epoch_order(0, 1, 20) == orders[1]).all()
