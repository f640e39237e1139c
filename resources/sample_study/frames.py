"""Synthetic endoscopy-like frames with exact masks: drawn by rules, from a seed. No patient, no real image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Float = NDArray[np.float64]

MUCOSA_RGB = np.array([0.80, 0.42, 0.36])
POLYP_RGB = np.array([0.78, 0.30, 0.25])
LIGHT = np.array([-0.35, -0.45, 0.82])


@dataclass(frozen=True)
class SyntheticFrame:
    """image (H, W, 3) uint8, and the mask (H, W) of the drawn polyp, all False where there is none."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def synthetic_frame(seed: int, *, size: tuple[int, int] = (480, 400), has_polyp: bool = True) -> SyntheticFrame:
    """A frame of the given (width, height); the same seed gives the same pixels."""
    rng = np.random.default_rng(seed)
    width, height = size
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-height / width, height / width, height))
    relief = _folds(rng, x, y)
    radius = _polyp_radius(rng, x, y) if has_polyp else np.full_like(x, 9.0)
    mask = radius < 1.0
    dome = np.sqrt(np.clip(1.0 - radius**2, 0.0, None)) * rng.uniform(0.10, 0.16)
    relief = relief + dome
    colour = np.broadcast_to(MUCOSA_RGB, (height, width, 3)).copy()
    edge = np.clip((1.04 - radius) / 0.10, 0.0, 1.0)[..., None]
    colour = colour * (1 - edge) + (POLYP_RGB + rng.normal(0, 0.015, 3)) * edge
    colour *= 1.0 - 0.35 * _vessels(rng, x, y, mask)[..., None] * np.array([0.25, 1.0, 0.9])
    colour += 0.03 * _cloud(rng, x.shape, 4.0)[..., None] * (0.7 + 0.5 * mask[..., None])
    shaded = colour * _shading(relief, x, y)[..., None] + _highlights(relief, rng)[..., None]
    shaded *= _vignette(x, y, height / width)[..., None]
    noisy = shaded + rng.normal(0, 0.012, shaded.shape)
    image = (np.clip(noisy, 0, 1) * 255).round().astype(np.uint8)
    return SyntheticFrame(image=image, mask=mask)


def _folds(rng: np.random.Generator, x: Float, y: Float) -> Float:
    """A tube wall: a few rounded ridges around an off-centre lumen."""
    cx, cy = rng.uniform(-0.5, 0.5, 2)
    distance = np.hypot(x - cx, y - cy)
    angle = np.arctan2(y - cy, x - cx)
    wobble = np.clip(distance / 0.5, 0, 1) * 0.10 * np.sin(3 * angle + rng.uniform(0, 6.3))
    ridges = np.abs(np.sin((distance + wobble) * rng.uniform(4.0, 6.0) + rng.uniform(0, 6.3))) ** 0.6
    lumen = -0.45 * np.exp(-((distance / 0.28) ** 2))
    return np.asarray(0.10 * ridges + lumen + 0.02 * _cloud(rng, x.shape, 12.0))


def _polyp_radius(rng: np.random.Generator, x: Float, y: Float) -> Float:
    """Distance from the polyp's centre in units of its wavy outline: below 1 is inside."""
    half_height = float(y.max())
    cx = rng.uniform(-0.5, 0.5)
    cy = rng.uniform(-0.5, 0.5) * half_height
    size = rng.uniform(0.24, 0.42)
    aspect = rng.uniform(0.75, 1.25)
    turn = rng.uniform(0, np.pi)
    u = (np.cos(turn) * (x - cx) + np.sin(turn) * (y - cy)) / size
    v = (-np.sin(turn) * (x - cx) + np.cos(turn) * (y - cy)) / (size * aspect)
    angle = np.arctan2(v, u)
    outline = 1.0 + sum(rng.normal(0, 0.10 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4, 5))
    return np.asarray(np.hypot(u, v) / outline)


def _vessels(rng: np.random.Generator, x: Float, y: Float, mask: NDArray[np.bool_]) -> Float:
    """Thin dark branching lines: level lines of a smooth random field, weaker on the polyp."""
    field = _cloud(rng, x.shape, 28.0)
    lines = np.exp(-((field / 0.05) ** 2)) * np.clip(_cloud(rng, x.shape, 40.0) + 0.3, 0, 1)
    return np.asarray(gaussian_filter(lines, 0.8) * np.where(mask, 0.3, 1.0))


def _shading(relief: Float, x: Float, y: Float) -> Float:
    """Lambert light from the camera's upper left, falling off with distance."""
    step = 2.0 / relief.shape[1]
    dy, dx = np.gradient(gaussian_filter(relief, 2.0), step)
    normal = np.stack([-dx, -dy, np.ones_like(dx)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    facing = np.clip(normal @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    depth = 1.0 + 0.8 * np.clip(relief, -0.5, 0.3)
    return np.asarray((0.35 + 0.75 * facing) * depth * (1.0 - 0.12 * (x**2 + y**2)))


def _highlights(relief: Float, rng: np.random.Generator) -> Float:
    """A few wet specular spots where the surface faces the light."""
    step = 2.0 / relief.shape[1]
    dy, dx = np.gradient(gaussian_filter(relief, 3.0), step)
    facing = np.exp(-(((dx + 0.4) ** 2 + (dy + 0.5) ** 2) / 0.05))
    return np.asarray(0.7 * np.clip(facing * (_cloud(rng, relief.shape, 5.0) + 0.1), 0, 1))


def _vignette(x: Float, y: Float, half_height: float) -> Float:
    """The dark corners of an endoscope's octagonal picture."""
    corner = np.abs(x) + np.abs(y) * 0.9
    limit = 1.0 + half_height * 0.62
    return np.asarray(1.0 / (1.0 + np.exp((corner - limit) * 60.0)) * 0.97 + 0.03)


def _cloud(rng: np.random.Generator, shape: tuple[int, ...], sigma_px: float) -> Float:
    """Smooth noise of unit variance."""
    field = gaussian_filter(rng.normal(size=shape), sigma_px, mode="wrap")
    return np.asarray(field / field.std())
