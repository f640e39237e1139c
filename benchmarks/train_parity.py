"""Our model, losses and steps against the unmodified published modules: same weights, same batches.

python -m benchmarks.train_parity --reference PATH_TO_GAZEMEDSEG_CHECKOUT [--quick]

Each row is printed as soon as it stands. Networks have their published size (31 million weights per level); images are
small, because torch has no fast fp64 convolution on a CPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.figures import Figure, show
from benchmarks.published_code import Published, load_published
from training.config import REFERENCE, TrainConfig
from training.losses import multi_level_loss
from training.multi_level import MultiLevelNet
from training.prediction import load_model
from training.published_checkpoint import import_published_checkpoint, read_published_checkpoint

CONS_WEIGHT = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="smaller images, fewer steps")
    parser.add_argument("--only-curve", action="store_true", help="the curve of losses alone")
    options = parser.parse_args()
    torch.set_num_threads(2)
    published = load_published(options.reference)
    size, batch, steps = (32, 1, 10) if options.quick else (64, 2, 50)
    figures: list[Figure] = []
    rows = _Rows(figures)
    for levels, channels in () if options.only_curve else ((2, 3), (3, 1)):
        for dtype, limit in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
            rows.add(*_one_batch(published, levels, channels, dtype, limit, size, batch))
    if not options.only_curve:
        rows.add(_pure(published), _checkpoint(published))
    rows.add(_curve(published, size=32, batch=1, steps=steps, tell=rows.tell))
    return show("Parity with the published modules (largest difference relative to the largest value)", figures)


class _Rows:
    """Collects figures and says each at once: a run that is cut short has still told what it found."""

    def __init__(self, figures: list[Figure]) -> None:
        self._figures = figures
        self._began = time.monotonic()

    def add(self, *figures: Figure) -> None:
        """Rows that stand."""
        self._figures += figures
        for one in figures:
            self.tell(f"{one.name}: {one.value} ({one.target})")

    def tell(self, words: str) -> None:
        """One line with the time since the start."""
        print(f"{time.monotonic() - self._began:6.0f} s  {words}", file=sys.stderr, flush=True)


def _pair(
    published: Published, levels: int, channels: int, dtype: torch.dtype
) -> tuple[Any, MultiLevelNet, TrainConfig]:
    torch.manual_seed(0)
    theirs = published.model_class(in_channels=channels, num_levels=levels, num_classes=1)
    for index, net in enumerate(theirs.model):
        # Published levels begin equal; different weights test more.
        torch.manual_seed(index)
        net.apply(lambda module: module.reset_parameters() if hasattr(module, "reset_parameters") else None)
    config = REFERENCE.with_changes(
        thresholds=(0.5, 0.3, 0.4)[:levels],
        in_channels=channels,
        normalisation="imagenet" if channels == 3 else "z-score",
    )
    ours = MultiLevelNet(config)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pth"
        torch.save({"state_dict": theirs.state_dict()}, path)
        ours.load_state_dict(read_published_checkpoint(path))
    return theirs.to(dtype), ours.to(dtype), config


def _batch(config: TrainConfig, size: int, batch: int, dtype: torch.dtype, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(batch, config.in_channels, size, size, generator=generator, dtype=dtype)
    targets = (torch.rand(batch, config.n_levels, size, size, generator=generator) > 0.6).to(dtype)
    return image, targets


def their_loss(published: Published, out: dict[str, Tensor], targets: Tensor) -> Tensor:
    """The lines of GazeSupTrainer._update that add up the loss."""
    n = targets.shape[1]
    with _targets_as_precise_as(targets.dtype):
        loss = sum(published.bce(out[f"logits_{i + 1}"], targets[:, i : i + 1]) for i in range(n))
    plain = [out[f"logits_{i + 1}"] for i in range(n)]
    moved = [out[f"logits_prop_{i + 1}"] for i in range(n)]
    return loss + CONS_WEIGHT * published.consistency(plain, moved).sum()


@contextmanager
def _targets_as_precise_as(dtype: torch.dtype) -> Iterator[None]:
    """Published BCE casts its target by .float(), and torch then works partly in fp32, also in fp64."""
    original = Tensor.float
    if dtype == torch.float64:
        Tensor.float = Tensor.double  # type: ignore[method-assign]
    try:
        yield
    finally:
        Tensor.float = original  # type: ignore[method-assign]


def _one_batch(
    published: Published, levels: int, channels: int, dtype: torch.dtype, limit: float, size: int, batch: int
) -> list[Figure]:
    theirs, ours, config = _pair(published, levels, channels, dtype)
    image, targets = _batch(config, size, batch, dtype)
    out = theirs(image)
    wanted_loss = their_loss(published, out, targets)
    wanted_loss.backward()
    outputs = ours(image, True)
    terms = multi_level_loss(outputs, targets, None, config=config, consistency_weight=CONS_WEIGHT)
    our_loss = terms.total.mean()
    our_loss.backward()
    logits = max(_relative(outputs.logits[i], out[f"logits_{i + 1}"]) for i in range(levels))
    moved = max(_relative(outputs.propagated[i], out[f"logits_prop_{i + 1}"]) for i in range(levels))
    gradients = _gradient_difference(theirs, ours)
    name = f"{levels} levels, {channels} channels, {str(dtype)[6:]}"
    return [
        _figure(f"{name}: logits", logits, limit),
        _figure(f"{name}: propagated logits", moved, limit),
        _figure(f"{name}: loss", _relative(our_loss, wanted_loss), limit),
        _figure(f"{name}: gradients", gradients, limit),
    ]


def _gradient_difference(theirs: nn.Module, ours: nn.Module) -> float:
    """The whole gradient as one vector: difference's norm over norm."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradients.pth"
        named = {k: v.grad for k, v in theirs.named_parameters() if v.grad is not None}
        torch.save({"state_dict": named}, path)
        wanted = read_published_checkpoint(path)
    pairs = [(p.grad, wanted[name]) for name, p in ours.named_parameters() if p.grad is not None]
    difference = sum(float((a.double() - b.double()).square().sum()) for a, b in pairs) ** 0.5
    return difference / sum(float(b.double().square().sum()) for _, b in pairs) ** 0.5


def _pure(published: Published) -> Figure:
    from training.losses import agreement_loss

    logits = [
        torch.randn(2, 1, 24, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in range(3)
    ]
    return _figure(
        "pure consistency, 3 levels, float64",
        _relative(agreement_loss(logits, logits).mean(), published.pure_consistency(logits).sum()),
        1e-10,
    )


def _curve(published: Published, *, size: int, batch: int, steps: int, tell: Callable[[str], None]) -> Figure:
    """Losses of the scripted optimiser, step by step, in fp64 (fp32 at momentum 0.99 drifts apart chaotically)."""
    theirs, ours, config = _pair(published, 2, 3, torch.float64)
    largest = 0.0
    optimisers = [
        torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.99, nesterov=True, weight_decay=4e-4)
        for net in (theirs, ours)
    ]
    for step in range(steps):
        image, targets = _batch(config, size, batch, torch.float64, seed=100 + step % 8)
        wanted_loss = their_loss(published, theirs(image), targets)
        terms = multi_level_loss(ours(image, True), targets, None, config=config, consistency_weight=CONS_WEIGHT)
        our_loss = terms.total.mean()
        ours_now, theirs_now = float(our_loss.detach()), float(wanted_loss.detach())
        largest = max(largest, abs(ours_now - theirs_now) / max(1.0, abs(theirs_now)))
        for optimiser, loss in zip(optimisers, (wanted_loss, our_loss), strict=True):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if step % 5 == 4:
            tell(f"step {step + 1} of {steps}: {ours_now:.12g} and {theirs_now:.12g}")
    return _figure(f"loss curve of {steps} steps, float64", largest, 1e-3)


def _checkpoint(published: Published) -> Figure:
    """A file as the published trainer writes it, imported and asked for a prediction."""
    import numpy as np

    torch.manual_seed(3)
    theirs = published.model_class(in_channels=3, num_levels=2, num_classes=1).eval()
    optimiser = torch.optim.SGD(theirs.parameters(), lr=1e-2, momentum=0.99)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model_best.pth"
        torch.save(
            {
                "state_dict": theirs.state_dict(),
                "opt": optimiser.state_dict(),
                "epoch": 2,
                "iteration": 101,
                "best_performance": np.float32(0.5),
                "best_iteration": 100,
            },
            path,
        )
        predictor = load_model(import_published_checkpoint(path, Path(folder) / "model.safetensors"), device="cpu")
    image = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    square = predictor.preprocess.square_u8(image)[None]
    ours = predictor.logits(square, None).mean(1)
    with torch.no_grad():
        expected = theirs(predictor.preprocess.normalise(square))["logits"][:, 0]
    return _figure("published checkpoint imported: logits", _relative(ours, expected), 1e-5)


def _relative(got: Tensor, expected: Tensor) -> float:
    got, expected = got.detach(), expected.detach()
    return float((got - expected).abs().max() / expected.abs().max().clamp_min(1e-30))


def _figure(name: str, value: float, limit: float) -> Figure:
    return Figure(name, f"{value:.2e}", f"<= {limit:.0e}", value <= limit)


if __name__ == "__main__":
    raise SystemExit(main())
