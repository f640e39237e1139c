"""Random numbers by counting: a number depends on (seed, epoch, sample) alone, never on what was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Constants of the SplitMix64 finaliser (Steele, Lea, Flood 2014), as signed 64-bit numbers.
_GAMMA = -0x61C8864680B583EB
_FIRST = -0x40A7B892E31B1A47
_SECOND = -0x6B2FB644ECCEEE15


def generator(seed: int, *names: object) -> np.random.Generator:
    """A numpy generator that belongs to these names and to nothing else."""
    key = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "little")))


def epoch_order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """The order in which the n samples of an epoch are visited."""
    return generator(seed, "order", epoch).permutation(n).astype(np.int64)


def sample_keys(seed: int, epoch: int, samples: Tensor) -> Tensor:
    """One 64-bit key (B,) per sample of an epoch."""
    start = torch.full_like(samples, _signed(seed))
    return _mix(_mix(_mix(start) + epoch) + samples)


def uniforms(keys: Tensor, n: int, *, stream: int) -> Tensor:
    """N numbers in [0, 1) for each key, (B, n) float32; other streams give other numbers. The same on every device."""
    counters = torch.arange(n, dtype=torch.int64, device=keys.device)
    mixed = _mix(_mix(keys + (stream + 1) * 0x632BE59B)[:, None] + counters[None] * _GAMMA)
    # The upper 24 bits, all that a float32 holds exactly.
    return ((mixed >> 40) & 0xFFFFFF).to(torch.float32) / float(1 << 24)


def normals(keys: Tensor, n: int, *, stream: int) -> Tensor:
    """N standard normal numbers for each key, (B, n) float32, by the Box-Muller transform."""
    first = uniforms(keys, n, stream=2 * stream + 1000).clamp_min(1e-7)
    second = uniforms(keys, n, stream=2 * stream + 1001)
    return (-2 * first.log()).sqrt() * torch.cos(2 * torch.pi * second)


def _mix(x: Tensor) -> Tensor:
    x = x + _GAMMA
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right; torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
