"""White and slow noise for the simulated eye, drawn in fixed blocks so that chunk sizes do not change it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 512
GAZE, DRIFT, SWAY, PUPIL = slice(0, 4), slice(4, 6), slice(6, 8), slice(8, 10)


class ColouredNoise:
    """Channels of unit standard deviation: gaze 0-3 half white, half 1/f; drift 4-5; sway 6-7; pupil 8-9."""

    def __init__(self, rng: np.random.Generator, rate_hz: float, *, n_channels: int) -> None:
        self._rng = rng
        self._n_channels = n_channels
        # 1/f as a sum of three relaxations an order of magnitude apart.
        self._pink = [_Relaxation(rng, rate_hz, tau_s=tau, n_channels=4) for tau in (0.01, 0.1, 1.0)]
        self._drift = _Relaxation(rng, rate_hz, tau_s=0.3, n_channels=2)
        self._sway = _Relaxation(rng, rate_hz, tau_s=4.0, n_channels=2)
        self._pupil = _Relaxation(rng, rate_hz, tau_s=0.6, n_channels=2)
        self._left = np.zeros((0, n_channels))

    def take(self, n: int) -> NDArray[np.float64]:
        """The next n rows."""
        while len(self._left) < n:
            self._left = np.concatenate([self._left, self._block()])
        rows, self._left = self._left[:n], self._left[n:]
        return rows

    def _block(self) -> NDArray[np.float64]:
        block = np.zeros((BLOCK, self._n_channels))
        pink = sum((relaxation.block() for relaxation in self._pink), np.zeros((BLOCK, 4))) / np.sqrt(3.0)
        block[:, GAZE] = (self._rng.standard_normal((BLOCK, 4)) + pink) / np.sqrt(2.0)
        block[:, DRIFT] = self._drift.block()
        block[:, SWAY] = self._sway.block()
        block[:, PUPIL] = self._pupil.block()
        return block


class _Relaxation:
    """Ornstein-Uhlenbeck noise of unit standard deviation: x_k = a x_(k-1) + s e_k, solved for a block at once."""

    def __init__(self, rng: np.random.Generator, rate_hz: float, *, tau_s: float, n_channels: int) -> None:
        self._rng = rng
        self._a = float(np.exp(-1.0 / (rate_hz * tau_s)))
        self._state = rng.standard_normal(n_channels)
        # Short stretches: a^-k must not overflow for fast relaxations at low rates.
        longest = int(30.0 / -np.log(self._a)) if self._a < 1.0 else BLOCK
        self._stretch = max(1, min(BLOCK, longest))

    def block(self) -> NDArray[np.float64]:
        out = np.empty((BLOCK, len(self._state)))
        shock = self._rng.standard_normal(out.shape) * np.sqrt(1.0 - self._a**2)
        for start in range(0, BLOCK, self._stretch):
            part = shock[start : start + self._stretch]
            power = self._a ** np.arange(1, len(part) + 1)[:, None]
            out[start : start + len(part)] = power * (self._state + np.cumsum(part / power, axis=0))
            self._state = out[start + len(part) - 1]
        return out
