"""One axis of a curve plot: a range that grows in steps, and its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

# So that a range that just grew is filled to 4/5 or more, and grows ten times from one power of ten to the next.
_TOPS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """From low to high, both included."""

    low: float
    high: float

    def holds(self, low: float, high: float) -> bool:
        """Whether values between these are inside."""
        return self.low <= low and high <= self.high

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Round values inside, and what is written there; about as many as asked for at most."""
        step = round_step((self.high - self.low) / max(most, 1))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        # A thin space between thousands, as in the texts around the plot.
        return [(n * step, f"{n * step:,.{decimals}f}".replace(",", "\u202f")) for n in range(first, last + 1)]


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, ... times a power of ten that is not below."""
    if not least > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * n for n in (1.0, 2.0, 5.0, 10.0) if power * n >= least * (1 - 1e-9))


def count_axis(last: float) -> Axis:
    """From 0 to the last step, with room for those to come."""
    if not last > 0:
        return Axis(0.0, 1.0)
    power = 10.0 ** math.floor(math.log10(last))
    return Axis(0.0, next((power * n for n in _TOPS if power * n >= last), 10 * power))


def value_axis(low: float, high: float) -> Axis:
    """Round numbers around all values."""
    if not low <= high:
        return Axis(0.0, 1.0)
    step = round_step(max((high - low) / 8, abs(high) * 1e-6, 1e-12))
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return Axis(bottom, top if top > bottom else bottom + step)
