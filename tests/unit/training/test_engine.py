from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from domain.errors import BadFileError, UserFacingError
from storage.snapshot_file import Snapshot
from training.config import TrainConfig
from training.data_cache import DataCache, build_cache
from training.device import Place, make_repeatable
from training.engine import Engine
from training.prediction import Predictor
from training.scores import dice
from training.self_training import blended_labels

CPU = Place(torch.device("cpu"), None)


def _cache(snapshot: Snapshot, config: TrainConfig) -> DataCache:
    return build_cache(snapshot, snapshot.of_split("train"), config)


def _digest(engine: Engine) -> str:
    arrays, _ = engine.state()
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()


def test_that_the_loss_falls_and_the_prediction_finds_the_target(snapshot: Snapshot, small: TrainConfig) -> None:
    config = small.with_changes(steps=40, ema_decay=0.8, learning_rate=1e-2)
    engine = Engine(config, _cache(snapshot, config), CPU)
    losses = [float(engine.train_step()["loss"]) for _ in range(config.steps)]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    predictor = Predictor(engine.final_net, config, CPU)
    items = snapshot.of_split("val")
    scores = [dice(predictor.predict(snapshot.image(item)).mask, snapshot.mask(item)) for item in items]
    assert np.mean(scores) > 0.5


def test_that_one_seed_gives_one_result_and_another_seed_another(snapshot: Snapshot, small: TrainConfig) -> None:
    make_repeatable(small)
    digests = []
    for seed in (0, 0, 1):
        config = small.with_changes(seed=seed)
        engine = Engine(config, _cache(snapshot, config), CPU)
        for _ in range(3):
            engine.train_step()
        digests.append(_digest(engine))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_that_a_run_cut_anywhere_goes_on_bit_for_bit(
    snapshot: Snapshot, small: TrainConfig, cut: int, optimiser: str
) -> None:
    config = small.with_changes(geometric=1.0, optimiser=optimiser, momentum=0.9)
    make_repeatable(config)
    cache = _cache(snapshot, config)
    whole = Engine(config, cache, CPU)
    for _ in range(config.steps):
        whole.train_step()
    first = Engine(config, cache, CPU)
    for _ in range(cut):
        first.train_step()
    arrays, values = first.state()
    second = Engine(config, cache, CPU)
    second.load_state(arrays, values)
    for _ in range(config.steps - cut):
        second.train_step()
    assert _digest(second) == _digest(whole)


def test_that_micro_batches_give_the_same_gradients(snapshot: Snapshot, small: TrainConfig) -> None:
    nets = []
    for micro in (4, 3, 1):
        config = small.with_changes(micro_batch=micro, optimiser="sgd", momentum=0.0, uncertain_band=0.1)
        engine = Engine(config, _cache(snapshot, config), CPU)
        for _ in range(3):
            engine.train_step()
        nets.append(torch.cat([p.detach().flatten() for p in engine.net.parameters()]))
    for net in nets[1:]:
        torch.testing.assert_close(net, nets[0], rtol=1e-4, atol=1e-6)


def test_that_running_out_of_memory_halves_the_micro_batch_and_repeats_the_step(
    snapshot: Snapshot, small: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = _cache(snapshot, small)
    expected = Engine(small.with_changes(micro_batch=1), cache, CPU)
    engine = Engine(small, cache, CPU)
    original = engine._loss

    def greedy(image: torch.Tensor, *rest: object) -> object:
        if len(image) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory (pretended)")
        return original(image, *rest)

    monkeypatch.setattr(engine, "_loss", greedy)
    engine.train_step()
    expected.train_step()
    assert engine.micro_batch == 1
    for one, other in zip(engine.net.parameters(), expected.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_that_memory_too_small_for_one_image_is_said_so(
    snapshot: Snapshot, small: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(small, _cache(snapshot, small), CPU)

    def never(*_: object) -> object:
        raise torch.OutOfMemoryError("out of memory (pretended)")

    monkeypatch.setattr(engine, "_loss", never)
    with pytest.raises(UserFacingError, match="too small for even one image"):
        engine.train_step()


def test_that_a_state_of_another_configuration_is_refused(snapshot: Snapshot, small: TrainConfig) -> None:
    engine = Engine(small, _cache(snapshot, small), CPU)
    other = Engine(small.with_changes(seed=5), _cache(snapshot, small), CPU)
    with pytest.raises(BadFileError, match="another configuration"):
        other.load_state(*engine.state())


def test_that_the_second_rounds_labels_lie_between_gaze_and_prediction(snapshot: Snapshot, small: TrainConfig) -> None:
    engine = Engine(small, _cache(snapshot, small), CPU)
    targets, weights = blended_labels(engine)
    old = engine.cache.targets.float()
    assert targets.shape == weights.shape == old.shape
    assert float((targets.float() - 127.5).abs().max()) < 127.5 or not torch.equal(targets.float(), old)
    # An untrained network says about one half everywhere: half a blend, and little trust.
    assert 0.2 < float(weights.float().mean()) / 255 < 0.8


def test_that_reading_with_more_threads_gives_the_same_cache(snapshot: Snapshot, small: TrainConfig) -> None:
    items = snapshot.of_split("train")
    one, four = (build_cache(snapshot, items, small, n_threads=n) for n in (1, 4))
    assert torch.equal(one.image, four.image)
    assert torch.equal(one.targets, four.targets)
