"""Every choice of one training run in one frozen value, and the three presets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from domain.errors import UserFacingError

Preset = Literal["tiny", "reference", "best"]
Supervision = Literal["gaze", "full", "point", "box", "scribble"]
Similarity = Literal["dot", "cosine"]
Consistency = Literal["propagated", "pure", "none"]
Precision = Literal["auto", "fp32", "bf16"]
Normalisation = Literal["imagenet", "z-score"]


@dataclass(frozen=True)
class TrainConfig:
    """All that decides the weights of a run, and a few switches that only decide its speed.

    thresholds: one level per entry; a pixel of a map belongs to a level where map >= threshold.
    features: channels of the basic U-Net, five encoder stages and the last decoder stage.
    feature_dim: channels of the feature map that the classifier and the propagation read.
    copied_levels: all levels start from the same weights (published code) instead of from their own seed.
    similarity: `dot` = ReLU of the raw dot product (published code); `cosine` = that of unit vectors / temperature.
    uncertain_band: pixels whose map lies closer than this to their level's threshold do not count; 0 = all count.
    softness: half width of the ramp of soft targets around the threshold; 0 = hard 0/1 targets.
    epoch_lag: the cosine schedule steps per epoch and begins one epoch late, as in the published code.
    antialias: area-true filter when images shrink; False = the plain bilinear filter of the published code.
    self_training_steps: steps of one more round on labels blended with the averaged model's predictions; 0 = none.
    deterministic: only algorithms whose result does not depend on timing; a resumed run is then equal bit for bit.
    """

    preset: Preset = "tiny"
    supervision: Supervision = "gaze"
    thresholds: tuple[float, ...] = (0.5, 0.3)
    backbone: str = "basic_unet"
    features: tuple[int, ...] = (64, 128, 256, 512, 1024, 128)
    feature_dim: int = 128
    copied_levels: bool = False
    weights_file: str = ""
    in_channels: int = 3
    normalisation: Normalisation = "imagenet"
    size_px: int = 224
    keep_aspect: bool = False
    antialias: bool = True
    steps: int = 15000
    batch: int = 8
    consistency: Consistency = "propagated"
    consistency_weight: float = 3.0
    consistency_ramp_steps: int = 0
    similarity: Similarity = "dot"
    temperature: float = 0.1
    dice_weight: float = 0.0
    uncertain_band: float = 0.0
    softness: float = 0.0
    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 1e-2
    final_learning_rate: float = 1e-4
    momentum: float = 0.99
    weight_decay: float = 4e-4
    warm_up_steps: int = 0
    epoch_lag: bool = False
    clip_norm: float = 0.0
    ema_decay: float = 0.0
    flips: bool = True
    geometric: float = 0.0
    photometric: float = 0.0
    test_time_flips: bool = False
    self_training_steps: int = 0
    self_training_share: float = 0.5
    seed: int = 0
    device: str = "auto"
    precision: Precision = "auto"
    compile: bool = False
    channels_last: bool = True
    deterministic: bool = True
    threads: int = 0
    checkpoint_every: int = 200
    evaluate_every: int = 0
    micro_batch: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", tuple(float(t) for t in self.thresholds))
        object.__setattr__(self, "features", tuple(int(n) for n in self.features))
        if not 1 <= len(self.thresholds) <= 5 or not all(0 < t < 1 for t in self.thresholds):
            raise _refused("thresholds", self.thresholds, "1 to 5 numbers between 0 and 1")
        if len(self.features) != 6 or min(self.features) < 1:
            raise _refused("features", self.features, "six positive channel counts")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise _refused(name, getattr(self, name), " or ".join(map(str, choices)))
        for name in ("steps", "batch", "size_px", "feature_dim", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise _refused(name, getattr(self, name), "a number from 1")
        if self.size_px % 32:
            raise _refused("size_px", self.size_px, "a multiple of 32")
        if self.in_channels not in (1, 3):
            raise _refused("in_channels", self.in_channels, "1 or 3")
        if not 0 <= self.ema_decay < 1:
            raise _refused("ema_decay", self.ema_decay, "0 (off) to below 1")
        if self.learning_rate <= 0 or self.temperature <= 0:
            raise _refused("learning_rate", self.learning_rate, "a positive number")

    @property
    def n_levels(self) -> int:
        """How many networks learn together."""
        return len(self.thresholds)

    @property
    def total_steps(self) -> int:
        """Steps of all rounds."""
        return self.steps + self.self_training_steps

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {**asdict(self), "thresholds": list(self.thresholds), "features": list(self.features)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainConfig:
        """The configuration from what `as_json` gave.

        Raises:
            UserFacingError: a key is unknown or a value out of range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserFacingError(f"Unknown training setting {unknown[0]!r}.", f"Known: {', '.join(sorted(known))}.")
        return cls(**values)

    def digest(self) -> str:
        """Short hash of all settings."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:16]

    def with_changes(self, **changes: Any) -> TrainConfig:  # the values are checked by the constructor
        """The same configuration with some settings changed."""
        return self.from_json({**self.as_json(), **changes})


_CHOICES: dict[str, tuple[object, ...]] = {
    "preset": get_args(Preset),
    "supervision": get_args(Supervision),
    "similarity": get_args(Similarity),
    "consistency": get_args(Consistency),
    "precision": get_args(Precision),
    "normalisation": get_args(Normalisation),
    "optimiser": ("sgd", "adamw"),
}

# Zhong et al., MICCAI 2024, and the scripts of med-air/GazeMedSeg. `copied_levels`, `similarity`, `antialias` and
# `epoch_lag` are the switches that bring the published behaviour back where mending it changes results.
REFERENCE = TrainConfig(
    preset="reference", copied_levels=True, antialias=False, epoch_lag=True, test_time_flips=False, evaluate_every=1000
)
REFERENCE_PROSTATE = replace(REFERENCE, thresholds=(0.2, 0.4), in_channels=1, normalisation="z-score")

TINY = TrainConfig(
    preset="tiny",
    features=(8, 16, 32, 48, 48, 8),
    feature_dim=8,
    size_px=96,
    steps=120,
    batch=8,
    consistency_weight=0.5,
    consistency_ramp_steps=60,
    similarity="cosine",
    dice_weight=1.0,
    optimiser="adamw",
    learning_rate=4e-3,
    final_learning_rate=1e-4,
    weight_decay=1e-2,
    warm_up_steps=20,
    clip_norm=1.0,
    ema_decay=0.97,
    photometric=0.3,
    precision="fp32",
    checkpoint_every=50,
    evaluate_every=40,
)

BEST = TrainConfig(
    preset="best",
    backbone="unet_resnet34",
    feature_dim=32,
    size_px=352,
    keep_aspect=True,
    steps=6000,
    batch=8,
    consistency_weight=0.5,
    consistency_ramp_steps=1500,
    similarity="cosine",
    dice_weight=1.0,
    uncertain_band=0.05,
    softness=0.1,
    optimiser="adamw",
    learning_rate=4e-4,
    final_learning_rate=4e-6,
    weight_decay=1e-2,
    warm_up_steps=200,
    clip_norm=1.0,
    ema_decay=0.999,
    geometric=1.0,
    photometric=1.0,
    test_time_flips=True,
    self_training_steps=2000,
    evaluate_every=500,
    # On a GPU the fastest kernels are chosen by timing: the seed's result then varies in the last bits.
    deterministic=False,
    compile=True,
)

PRESETS: dict[str, TrainConfig] = {"tiny": TINY, "reference": REFERENCE, "best": BEST}


def preset(name: str, **changes: Any) -> TrainConfig:  # the values are checked by the constructor
    """A preset by name, with some settings changed.

    Raises:
        UserFacingError: there is no such preset, or a setting is unknown or out of range.
    """
    if name not in PRESETS:
        raise UserFacingError(f"There is no training preset called {name!r}.", f"Known: {', '.join(PRESETS)}.")
    return PRESETS[name].with_changes(**changes)


def _refused(name: str, value: object, expected: str) -> UserFacingError:
    return UserFacingError(f"The training setting {name} is {value!r}.", f"It must be {expected}.")
