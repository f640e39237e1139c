"""A whole training step (forward, loss, backward, SGD) of preset `reference` against the published code on the CPU.

python -m benchmarks.train_step --reference PATH_TO_GAZEMEDSEG_CHECKOUT [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.figures import Figure, show
from training.augment import Batch
from training.config import REFERENCE
from training.data_cache import DataCache
from training.device import Place
from training.engine import Engine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, help="checkout of med-air/GazeMedSeg")
    parser.add_argument("--quick", action="store_true", help="96 px, one round")
    options = parser.parse_args()
    size, rounds = (96, 1) if options.quick else (224, 3)
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 3, size, size), generator=generator, dtype=torch.uint8)
    targets = (torch.rand(1, 2, size, size, generator=generator) > 0.7).to(torch.uint8) * 255
    steps = {"ours": _our_step(image, targets, size)}
    if options.reference:
        batch = Batch(image.float() / 255, targets.float() / 255, None, None)
        steps["published"] = _their_step(options.reference, batch)
    took = _timed(steps, rounds)
    figures = [Figure(name, f"{seconds:.2f} s", "", None) for name, seconds in took.items()]
    if options.reference:
        gain = took["published"] / took["ours"]
        figures.append(Figure("times faster", f"{gain:.1f}", ">= 6", gain >= 6))
    return show(f"Step, batch 1, {size} px, 2 levels, fp32, {torch.get_num_threads()} threads", figures)


def _our_step(image: Tensor, targets: Tensor, size: int) -> Callable[[], None]:
    config = REFERENCE.with_changes(size_px=size, batch=1, device="cpu", precision="fp32")
    cache = DataCache(image, targets, None, None, ("one",))
    engine = Engine(config, cache, Place(torch.device("cpu"), None))

    def step() -> None:
        engine.train_step()

    return step


def _their_step(checkout: Path, batch: Batch) -> Callable[[], None]:
    from benchmarks.published_code import load_published
    from benchmarks.train_parity import their_loss

    published = load_published(checkout)
    model = published.model_class(in_channels=3, num_levels=2, num_classes=1)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.99, nesterov=True, weight_decay=4e-4)

    def step() -> None:
        optimiser.zero_grad()
        loss = their_loss(published, model(batch.image), batch.targets)
        loss.backward()
        optimiser.step()

    return step


def _timed(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The best of some rounds after one to warm up; in turns, so that other work on the machine meets both."""
    took: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            took[name].append(time.perf_counter() - began)
            print(f"round {number}: {name} {took[name][-1]:.2f} s", file=sys.stderr, flush=True)
    return {name: min(each[1:]) for name, each in took.items()}


if __name__ == "__main__":
    raise SystemExit(main())
