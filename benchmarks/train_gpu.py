"""Every GPU figure of the training, in one program: builds, checks and times; a few minutes without --train.

    python -m benchmarks.prepare_carry --reference PATH_TO_GAZEMEDSEG_CHECKOUT      (on a machine with the data)
    python -m benchmarks.train_gpu [--train --steps 1500 --seeds 1] [--json FILE]  (on the GPU machine)

Reads carry/ only. Gaze is SIMULATED, the split is our own. --train compares the presets with the published code on the
same images and steps: last checkpoint, per-image Dice on the test part, paired bootstrap.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.carried import CARRY, cache_of, read_frames  # makes the carried packages importable
from benchmarks.figures import Figure, show
from benchmarks.published_code import Published, load_published
from benchmarks.train_parity import their_loss
from training.augment import augment
from training.config import BEST, REFERENCE, TrainConfig
from training.data_cache import DataCache
from training.device import Place
from training.engine import Engine
from training.numbers import epoch_order, sample_keys
from training.prediction import Predictor
from training.preprocess import Preprocess
from training.propagation import propagate_logits
from training.schedule import learning_rate, steps_per_epoch
from training.scores import bootstrap_interval, dice

# --rehearse goes through everything on the CPU in small: no GPU time is lost on a slip. Its figures mean nothing.
IS_REHEARSAL = "--rehearse" in sys.argv
DEVICE = torch.device("cpu" if IS_REHEARSAL else "cuda")
FP32, BF16 = Place(DEVICE, None), Place(DEVICE, torch.bfloat16)
BATCH, SIZE = (2, 32) if IS_REHEARSAL else (8, 224)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, default=CARRY / "gazemedseg")
    parser.add_argument("--train", action="store_true", help="also compare trainings (minutes per thousand steps)")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="published,reference,best", help="which trainings to run")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--rehearse", action="store_true", help="everything in small on the CPU, to see that it runs")
    options = parser.parse_args()
    if not torch.cuda.is_available() and not IS_REHEARSAL:
        print("No CUDA GPU: nothing was measured. What needs none is in the other benchmarks.train_* programs.")
        return 0
    # Without --reference and without a carried copy there is nothing to compare with; a wrong path is told.
    is_absent = options.reference == CARRY / "gazemedseg" and not options.reference.is_dir()
    published = None if is_absent else load_published(options.reference)
    device = "REHEARSAL on the CPU, figures mean nothing" if IS_REHEARSAL else torch.cuda.get_device_name()
    title = f"{device}, torch {torch.__version__}, Python {platform.python_version()}"
    figures = [*kernel_figures(), *propagation_figures(published, 10 if options.quick else 50)]
    figures += step_figures(published, 20 if options.quick else 200)
    results: dict[str, Any] = {"machine": title}
    if options.train:
        trained, results["trainings"] = train_figures(published, options)
        figures += trained
    code = show(title, figures)
    if options.json:
        results["figures"] = [vars(figure) for figure in figures]
        options.json.write_text(json.dumps(results, indent=1))
    return code


def kernel_figures() -> list[Figure]:
    """The Triton kernels against plain torch on the same device."""
    if IS_REHEARSAL:
        return [Figure("Triton", "needs a GPU", "", None)]
    try:
        from training.propagation_triton import propagate_with_triton
    except ImportError as error:
        return [Figure("Triton", f"cannot be imported: {error}", "", None)]
    figures = []
    for dtype, limit in ((torch.float32, 1e-4), (torch.bfloat16, 2e-2)):
        inputs = _propagation_inputs(2, 96, dtype)
        pairs = []
        for kernel in (propagate_logits, propagate_with_triton):
            out = kernel(*inputs)
            pairs.append((out, *torch.autograd.grad(out.square().sum(), inputs)))
        worst = max(
            float((a.float() - b.float()).norm() / b.float().norm().clamp_min(1e-12))
            for a, b in zip(pairs[1], pairs[0], strict=True)
        )
        name = f"Triton against torch, {str(dtype)[6:]} (out and 3 gradients)"
        figures.append(Figure(name, f"{worst:.1e}", f"<= {limit:.0e}", worst <= limit))
    return figures


def propagation_figures(published: Published | None, rounds: int) -> list[Figure]:
    """Both levels, forward and backward, batch 8, 224 px, 128 channels."""
    figures, took = [], {}
    for name, kernel, dtype in _kernels():
        inputs = _propagation_inputs(BATCH, SIZE, dtype)

        def both(kernel: Callable[..., Tensor] = kernel, inputs: tuple[Tensor, ...] = inputs) -> None:
            for _ in range(2):
                torch.autograd.grad(kernel(*inputs).sum(), inputs)

        took[name] = _milliseconds(both, rounds)
        figures.append(Figure(f"propagation, 2 levels, {name}", f"{took[name]:.2f} ms", "", None))
        del inputs
    if published is not None:
        move = _published_propagation(published)
        features = _propagation_inputs(BATCH, SIZE, torch.float32)[0]

        def theirs() -> None:
            for _ in range(2):
                torch.autograd.grad(move(features).sum(), features)

        slow = _milliseconds(theirs, max(3, rounds // 10))
        best = min(took.values())
        figures.append(Figure("propagation, 2 levels, published", f"{slow:.1f} ms", "", None))
        figures.append(
            Figure("propagation: times faster", f"{slow / best:.0f}", ">= 50 (our own goal)", slow / best >= 50)
        )
    _free()
    return figures


def step_figures(published: Published | None, rounds: int) -> list[Figure]:
    """Whole steps, data included: batch 8, 224 px, 2 levels of the published network."""
    figures, fastest, lowest = [], float("inf"), float("inf")
    cache = _random_cache()
    base = REFERENCE.with_changes(deterministic=False, steps=15000, **_small())
    variants: list[tuple[str, Place, bool]] = [
        ("ours fp32 eager", FP32, False),
        ("ours bf16 eager", BF16, False),
        *([] if IS_REHEARSAL else [("ours bf16 compiled", BF16, True)]),
    ]
    for name, place, is_compiled in variants:
        torch.backends.cudnn.benchmark = True
        engine = Engine(base, cache, place)
        if is_compiled:
            engine.compile()
        took, peak = _step_cost(engine.train_step, rounds)
        state = "" if engine.is_compiled == is_compiled else " (fell back to eager)"
        figures.append(Figure(f"step, {name}{state}", f"{took:.1f} ms, {peak:.1f} GB", "", None))
        fastest, lowest = min(fastest, took), min(lowest, peak)
        del engine
        _free()
    figures.append(Figure("step, our fastest", f"{fastest:.1f} ms", "<= 20 ms (H200)", fastest <= 20))
    figures.append(Figure("peak memory, our lowest", f"{lowest:.1f} GB", "<= 6 GB", lowest <= 6))
    if published is not None:
        step = PublishedTraining(published, base, cache).step
        slow, peak = _step_cost(step, max(5, rounds // 10))
        figures.append(Figure("step, published", f"{slow:.1f} ms, {peak:.1f} GB", "", None))
        figures.append(Figure("step: times faster", f"{slow / fastest:.1f}", ">= 5", slow / fastest >= 5))
        _free()
    return figures


class PublishedTraining:
    """The published model, losses and optimiser fed with our batches; flips by our generator."""

    def __init__(self, published: Published, config: TrainConfig, cache: DataCache) -> None:
        torch.manual_seed(config.seed)
        self.published, self.config, self.cache = published, config, cache.to(DEVICE)
        self.model = published.model_class(in_channels=3, num_levels=config.n_levels, num_classes=1).to(DEVICE)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=1e-2, momentum=0.99, nesterov=True, weight_decay=4e-4
        )
        self.preprocess = Preprocess.of(config)
        self.done = 0

    def step(self) -> None:
        per_epoch = steps_per_epoch(len(self.cache), BATCH)
        epoch, position = divmod(self.done, per_epoch)
        chosen = epoch_order(self.config.seed, epoch, len(self.cache))[position * BATCH : (position + 1) * BATCH]
        indices = torch.from_numpy(chosen).to(DEVICE)
        batch = augment(self.cache.batch(indices), sample_keys(self.config.seed, epoch, indices), self.config)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, self.done, len(self.cache))
        self.model.train()
        self.optimiser.zero_grad()
        loss = their_loss(self.published, self.model(self.preprocess.normalise(batch.image)), batch.targets)
        loss.backward()
        self.optimiser.step()
        # The published trainer reads its loss each step.
        loss.item()
        self.done += 1

    @torch.no_grad()
    def test_dice(self, test: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
        """Evaluation as published: logits of all levels to the mask's size, mean, above 0."""
        self.model.eval()
        found = []
        for image, mask in test:
            out = self.model(self.preprocess.normalise(self.preprocess.square_u8(image)[None].to(DEVICE)))
            logits = torch.stack([out[f"logits_{i + 1}"] for i in range(self.config.n_levels)]).mean(0)
            full = functional.interpolate(logits, mask.shape, mode="bilinear")[0, 0]
            found.append(dice((full > 0).cpu().numpy(), mask))
        return found


def train_figures(published: Published | None, options: argparse.Namespace) -> tuple[list[Figure], dict[str, Any]]:
    """Trainings of equal steps (preset best: equal images seen), last checkpoint, own test part."""
    frames_ = read_frames()
    test = [(image, mask) for image, mask, _, part in frames_ if part == "test"]
    if IS_REHEARSAL:
        frames_ = frames_[:24]
        test = test[:3]
    reference = REFERENCE.with_changes(steps=options.steps, deterministic=False, **_small())
    # Equal steps; the second round is a part of them.
    best = BEST.with_changes(
        steps=round(options.steps * 0.75), self_training_steps=round(options.steps * 0.25), deterministic=False
    )
    if IS_REHEARSAL:
        best = best.with_changes(batch=BATCH, size_px=SIZE, compile=False)
    results: dict[str, Any] = {"steps": options.steps, "n_test": len(test), "gaze": "simulated"}
    per_image: dict[str, list[list[float]]] = {}
    for name in options.only.split(","):
        for seed in range(options.seeds):
            config = (best if name == "best" else reference).with_changes(seed=seed)
            cache = cache_of(frames_, config)
            if name == "published":
                if published is None:
                    continue
                scores, curve = _train_published(PublishedTraining(published, config, cache), test)
            else:
                scores, curve = _train_ours(config, cache, test)
            per_image.setdefault(name, []).append(scores)
            results.setdefault(name, []).append({"seed": seed, "dice": scores, "curve": curve})
            print(f"{name} seed {seed}: Dice {np.mean(scores):.4f} after {curve[-1][0]:.0f} s", flush=True)
            _free()
    return _dice_figures(per_image, results), results


def _train_published(training: PublishedTraining, test: list[Any]) -> tuple[list[float], list[tuple[float, float]]]:
    began = time.perf_counter()
    while training.done < training.config.steps:
        training.step()
    _synchronise()
    took = time.perf_counter() - began
    scores = training.test_dice(test)
    return scores, [(took, float(np.mean(scores)))]


def _train_ours(
    config: TrainConfig, cache: DataCache, test: list[Any]
) -> tuple[list[float], list[tuple[float, float]]]:
    """Train; ten looks on the way for the time to a Dice, none of which chooses a checkpoint."""
    from training.self_training import blended_labels

    engine = Engine(config, cache, BF16)
    if config.compile:
        engine.compile()
    curve: list[tuple[float, float]] = []
    took = 0.0
    every = max(1, config.total_steps // 10)
    scores: list[float] = []
    while engine.step < config.total_steps:
        began = time.perf_counter()
        if engine.step == config.steps:
            engine.cache = engine.cache.with_labels(*blended_labels(engine))
        engine.train_step()
        is_look = engine.step % every == 0 or engine.step == config.total_steps
        if is_look:
            _synchronise()
        took += time.perf_counter() - began
        if is_look:
            predictor = Predictor(engine.final_net, config, BF16)
            predictions = predictor.predict_many(image for image, _ in test)
            scores = [dice(p.mask, mask) for p, (_, mask) in zip(predictions, test, strict=True)]
            curve.append((took, float(np.mean(scores))))
    return scores, curve


def _dice_figures(per_image: dict[str, list[list[float]]], results: dict[str, Any]) -> list[Figure]:
    figures = []
    means = {name: np.mean(scores, axis=0) for name, scores in per_image.items()}
    for name, scores in per_image.items():
        each = [float(np.mean(s)) for s in scores]
        spread = statistics.stdev(each) if len(each) > 1 else float("nan")
        figures.append(Figure(f"Dice, {name} (simulated gaze)", f"{np.mean(each):.4f} +- {spread:.4f}", "", None))
    if "published" not in means:
        return figures
    final = float(np.mean(means["published"]))
    seconds = float(np.mean([run["curve"][-1][0] for run in results["published"]]))
    for name, target in (("reference", 0.0), ("best", 0.03)):
        if name not in means:
            continue
        gains = means[name] - means["published"]
        low, high = bootstrap_interval(list(gains), [""] * len(gains))
        text = f"{gains.mean():+.4f} ({low:+.4f} to {high:+.4f})"
        wanted = "not worse" if target == 0 else f">= +{target:.2f}"
        passed = high >= 0 if target == 0 else float(gains.mean()) >= target
        figures.append(Figure(f"Dice, {name} against published, paired", text, wanted, bool(passed)))
        reached = [next((t for t, d in run["curve"] if d >= final), float("inf")) for run in results[name]]
        share = float(np.mean(reached)) / seconds
        figures.append(
            Figure(f"{name}: time to the published Dice", f"{share:.3f} of theirs", "<= 0.125", share <= 0.125)
        )
    return figures


def _kernels() -> list[tuple[str, Callable[..., Tensor], torch.dtype]]:
    kernels: list[tuple[str, Callable[..., Tensor], torch.dtype]] = [
        ("torch fp32", propagate_logits, torch.float32),
        ("torch bf16", propagate_logits, torch.bfloat16),
    ]
    if IS_REHEARSAL:
        return kernels
    try:
        from training.propagation_triton import propagate_with_triton
    except ImportError:
        return kernels
    return [
        *kernels,
        ("Triton fp32", propagate_with_triton, torch.float32),
        ("Triton bf16", propagate_with_triton, torch.bfloat16),
    ]


def _propagation_inputs(batch: int, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    features = (0.2 * torch.randn(batch, 128, size, size, device=DEVICE)).to(dtype)
    features = features.contiguous(memory_format=torch.channels_last).requires_grad_()
    logits = torch.randn(batch, 1, size, size, device=DEVICE).requires_grad_()
    return features, logits, torch.zeros(1, device=DEVICE).requires_grad_()


def _published_propagation(published: Published) -> Callable[[Tensor], Tensor]:
    shell = published.model_class.__new__(published.model_class)
    torch.nn.Module.__init__(shell)
    move: Callable[[Tensor], Tensor] = shell.feature_propogate
    return move


def _random_cache() -> DataCache:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (64, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    targets = (torch.rand(64, 2, SIZE, SIZE, generator=generator) > 0.7).to(torch.uint8) * 255
    return DataCache(image, targets, None, None, tuple(str(i) for i in range(64)))


def _step_cost(step: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Median milliseconds and peak gigabytes, after a quarter of the rounds to warm up."""
    if IS_REHEARSAL:
        return _milliseconds(step, 1), 0.0
    torch.cuda.reset_peak_memory_stats()
    for _ in range(max(3, rounds // 4)):
        step()
    return _milliseconds(step, rounds), torch.cuda.max_memory_allocated() / 1e9


def _milliseconds(work: Callable[[], Any], rounds: int) -> float:
    if IS_REHEARSAL:
        began = time.perf_counter()
        work()
        return 1e3 * (time.perf_counter() - began)
    for _ in range(3):
        work()
    took = []
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        took.append(start.elapsed_time(end))
    return statistics.median(took)


def _small() -> dict[str, Any]:
    """Changes of a rehearsal; the published network keeps its width, so only the images get small."""
    return {"batch": BATCH, "size_px": SIZE} if IS_REHEARSAL else {}


def _free() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()


def _synchronise() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    raise SystemExit(main())
