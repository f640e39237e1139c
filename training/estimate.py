"""What a run will take on this machine, said before it starts: `python -m training.estimate` with JSON on stdin.

It runs in a process of its own, as a training does: what it takes of a GPU is given back when it ends. The application
asks through `training.prediction_of_cost`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from training.config import TrainConfig
from training.device import Place, memory_in_use, peak_memory, pick_place
from training.losses import multi_level_loss
from training.micro_batch import first_micro_batch
from training.multi_level import MultiLevelNet
from training.prediction_of_cost import Estimate

# Up to this much work a real step is timed; beyond, a short convolution, times the share of a step that is not
# convolution (seen on 2 CPU cores with preset reference: benchmarks/train_step.py).
_STEP_FLOPS = 3e10
_OVERHEAD = 1.2
# Gradients of the largest maps and the scratch memory of convolutions, over the saved activations: 1.14 and 1.29 for
# preset reference (224 px batch 1, 128 px batch 2), 1.54 for tiny at 224 px, from the peak of the process on 2 cores.
_SCRATCH = 1.5
_CACHE_S_PER_IMAGE = 0.03
_START_S = 8.0


def estimate(config: TrainConfig, n_images: int) -> Estimate:
    """Count a step's work on paper and time a real step, or a convolution where a step takes too long.

    Raises:
        UserFacingError: the device that was asked for is not there.
    """
    place = pick_place(config)
    # On the CPU the program and torch count as well: so they do in what a run says while it goes on.
    program = memory_in_use(place.device) if place.device.type == "cpu" else 0
    flops, saved, weights, at_once = _one_image(config, place.device)
    width = 2 if place.autocast is not None else 4
    activations = int(saved * width / 4 * at_once)
    if place.device.type != "cpu" or flops * config.batch < _STEP_FLOPS:
        step = _step_seconds(place, config, at_once) * config.batch / at_once
        # What was really taken holds the scratch memory of the convolutions as well, which no count on paper knows.
        measured = peak_memory() if place.device.type == "cpu" else 0
        used = max(measured, program + activations + 2 * 4 * weights)
    else:
        step = flops * config.batch / _flops_per_second(place, config) * _OVERHEAD
        used = program + int(activations * _SCRATCH) + 2 * 4 * weights
    # Beside weights and gradients: one or two moments, and the averaged network.
    copies = (1 if config.optimiser == "sgd" else 2) + (1 if config.ema_decay else 0)
    cache = n_images * config.size_px**2 * (config.in_channels + 2 * config.n_levels)
    memory = used + weights * 4 * copies + cache
    return Estimate(
        device=place.name,
        precision=place.precision,
        seconds=_START_S + n_images * _CACHE_S_PER_IMAGE + config.total_steps * step,
        step_seconds=step,
        memory_bytes=memory,
        fits=memory < _free_bytes(place),
    )


def _step_seconds(place: Place, config: TrainConfig, batch: int) -> float:
    """Forward and backward of so many images of noise, the faster of two after one to warm up."""
    net = MultiLevelNet(config).to(place.device)
    image = torch.rand(batch, config.in_channels, config.size_px, config.size_px, device=place.device)
    targets = torch.ones(batch, config.n_levels, config.size_px, config.size_px, device=place.device)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        with torch.autocast(place.device.type, place.autocast, enabled=place.autocast is not None):
            outputs = net(image, config.consistency == "propagated")
        loss = multi_level_loss(outputs, targets, None, config=config, consistency_weight=config.consistency_weight)
        torch.autograd.backward([loss.total.sum()])
        loss.total[0].item()
        if place.device.type == "cuda":
            torch.cuda.synchronize(place.device)
        took.append(time.perf_counter() - began)
    return min(took[1:])


def _one_image(config: TrainConfig, device: torch.device) -> tuple[float, int, int, int]:
    """Floating-point operations of forward and backward, bytes of saved activations in fp32, number of weights.

    The last number: how many images are worked on at once.
    """
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            # One map is saved by the layer that made it and by the one that reads it, but lies in memory once.
            storage = tensor.untyped_storage()
            saved[storage._cdata] = storage.nbytes()
        return tensor

    # Made for real and then emptied: some backbones compute with numbers while they are made.
    net = MultiLevelNet(config).to("meta")
    at_once = first_micro_batch(config, net, device)
    with torch.device("meta"):
        image = torch.empty(1, config.in_channels, config.size_px, config.size_px)
        counter: Any = FlopCounterMode(display=False)  # untyped in torch
        with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = net(image)
    n_weights = sum(p.numel() for p in net.parameters())
    del outputs
    # The propagation keeps 25 weights and a bit for each, per pixel and level.
    propagation = config.n_levels * config.size_px**2 * 25 * 5 if config.consistency == "propagated" else 0
    return 3.0 * counter.get_total_flops(), sum(saved.values()) + propagation, n_weights, at_once


def _flops_per_second(place: Place, config: TrainConfig) -> float:
    """Speed of a middle-sized convolution on this device, with the run's channel counts."""
    channels = config.features[2] if config.backbone == "basic_unet" else 64
    size = max(8, config.size_px // 4)
    conv = torch.nn.Conv2d(channels, channels, 3, padding=1).to(place.device)
    image = torch.zeros(config.batch, channels, size, size, device=place.device)
    work = 2.0 * config.batch * channels * channels * 9 * size * size
    with torch.no_grad(), torch.autocast(place.device.type, place.autocast, enabled=place.autocast is not None):
        n = 0
        for round_number in range(2):
            began, n = time.perf_counter(), 0
            # The first round warms up; the second is timed.
            while n < 3 or (round_number and time.perf_counter() - began < 0.2 and n < 200):
                conv(image)
                n += 1
            if place.device.type == "cuda":
                torch.cuda.synchronize(place.device)
        took = time.perf_counter() - began
    return n * work / took


def _free_bytes(place: Place) -> int:
    if place.device.type == "cuda":
        return int(torch.cuda.mem_get_info(place.device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


def main() -> int:
    """Read {"config": ..., "n_images": ...} from stdin, write the estimate as JSON."""
    asked = json.load(sys.stdin)
    found = estimate(TrainConfig.from_json(asked["config"]), int(asked["n_images"]))
    sys.stdout.write(json.dumps(found.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
