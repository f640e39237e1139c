"""Learning rate and consistency weight at each step."""

from __future__ import annotations

import math

from training.config import TrainConfig


def steps_per_epoch(n_samples: int, batch: int) -> int:
    """Batches that visit every sample once; the last one may be short, as in the published code."""
    return -(-n_samples // batch)


def learning_rate(config: TrainConfig, step: int, n_samples: int) -> float:
    """The rate of step 0, 1, ...: half a cosine from first to final rate after a linear warm-up.

    With `epoch_lag` it changes per epoch and epochs 1 and 2 share a rate, as in the published trainer, whose hook reads
    the epoch's number before it is raised.
    """
    start, end = config.learning_rate, config.final_learning_rate
    if config.epoch_lag:
        per_epoch = steps_per_epoch(n_samples, config.batch)
        total = config.total_steps // per_epoch + 1
        return _cosine(start, end, max(1, step // per_epoch) / total)
    if step < config.warm_up_steps:
        return start * (step + 1) / config.warm_up_steps
    return _cosine(start, end, (step - config.warm_up_steps) / max(1, config.total_steps - config.warm_up_steps))


def consistency_weight(config: TrainConfig, step: int) -> float:
    """The weight of the agreement term; rises by exp(-5 (1-t)^2) where a ramp is set (Laine & Aila 2017)."""
    if step >= config.consistency_ramp_steps:
        return config.consistency_weight
    return config.consistency_weight * math.exp(-5 * (1 - step / config.consistency_ramp_steps) ** 2)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
