"""Flips, small turns and zooms, and changes of light, on the device, by counted random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.config import TrainConfig
from training.numbers import normals, uniforms

# At strength 1: turns up to 30 degrees, zoom 0.75-1.33, shift up to 8 % (GNAN's perturbations and common practice).
_TURN_RAD = 0.5236
_ZOOM = 0.2877
_SHIFT = 0.08


@dataclass(frozen=True)
class Batch:
    """Squares of one batch. image (B, C, S, S) float32 before normalisation, 0-255; inside (B, S, S) bool or None."""

    image: Tensor
    targets: Tensor
    weights: Tensor | None
    inside: Tensor | None


def augment(batch: Batch, keys: Tensor, config: TrainConfig) -> Batch:
    """The batch as seen this time; `keys` (B,) of `sample_keys` fix a sample's fate for its epoch."""
    if config.flips:
        batch = _flipped(batch, uniforms(keys, 2, stream=1) < 0.5)
    if config.geometric > 0:
        batch = _moved(batch, uniforms(keys, 5, stream=2), config.geometric)
    if config.photometric > 0:
        batch = Batch(_relit(batch.image, keys, config.photometric), batch.targets, batch.weights, batch.inside)
    return batch


def _flipped(batch: Batch, choices: Tensor) -> Batch:
    def turn(values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        shape = (-1, *[1] * (values.ndim - 1))
        values = torch.where(choices[:, 0].view(shape), values.flip(-1), values)
        return torch.where(choices[:, 1].view(shape), values.flip(-2), values)

    image, targets = turn(batch.image), turn(batch.targets)
    if image is None or targets is None:
        raise ValueError("a batch needs images and targets")
    return Batch(image, targets, turn(batch.weights), turn(batch.inside))


def _moved(batch: Batch, u: Tensor, strength: float) -> Batch:
    angle = (2 * u[:, 0] - 1) * _TURN_RAD * strength
    zoom = torch.exp((2 * u[:, 1] - 1) * _ZOOM * strength)
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    shift = (2 * u[:, 2:4] - 1) * 2 * _SHIFT * strength
    # One sample in four stays as it is.
    still = u[:, 4] < 0.25
    cos, sin = torch.where(still, torch.ones_like(cos), cos), torch.where(still, torch.zeros_like(sin), sin)
    shift = torch.where(still[:, None], torch.zeros_like(shift), shift)
    theta = torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(theta, [*batch.image.shape], align_corners=False)

    def move(values: Tensor) -> Tensor:
        return functional.grid_sample(values, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    shape = (batch.image.shape[0], 1, *batch.image.shape[-2:])
    whole = torch.ones(shape, device=batch.image.device) if batch.inside is None else batch.inside[:, None].float()
    seen = move(whole)
    inside = seen[:, 0] > 0.5
    weights = torch.ones_like(batch.targets) if batch.weights is None else batch.weights
    # A label mixed with an ignored neighbour is no longer sure: only pixels that stay almost wholly known count.
    known = (move(weights) >= 0.75).to(weights.dtype) * inside[:, None].to(weights.dtype)
    image = move(batch.image) / seen.clamp_min(0.5)
    return Batch(image, move(batch.targets), known, inside)


def _relit(image: Tensor, keys: Tensor, strength: float) -> Tensor:
    """Brightness, contrast, gamma, colour cast, blur and noise; the image stays in 0-255."""
    batch, channels = image.shape[:2]
    u = (2 * uniforms(keys, 8, stream=3) - 1) * strength
    view = (-1, 1, 1, 1)
    x = image / 255
    x = x.clamp(0, 1).pow(torch.exp(0.35 * u[:, 0]).view(view))
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * torch.exp(0.35 * u[:, 1]).view(view) + mean + 0.15 * u[:, 2].view(view)
    if channels == 3:
        x = x * torch.exp(0.12 * u[:, 3:6]).view(batch, 3, 1, 1)
    softened = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    x = torch.lerp(x, softened, u[:, 6].clamp_min(0).view(view))
    noise = normals(keys, image[0, 0].numel(), stream=4).view(batch, 1, *image.shape[-2:])
    x = x + 0.03 * u[:, 7].clamp_min(0).view(view) * noise
    return x.clamp(0, 1) * 255
