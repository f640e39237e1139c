"""From an image's pixels to the network's square and back; stored in the model file and used everywhere alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.config import Normalisation, TrainConfig
from training.resampling import Placement, placements, resample

# Mean and standard deviation of ImageNet's pixels, as the published code and pretrained encoders use them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocess:
    """Size, aspect, filter and normalisation of one model."""

    size_px: int
    in_channels: int
    keep_aspect: bool
    antialias: bool
    normalisation: Normalisation

    @classmethod
    def of(cls, config: TrainConfig) -> Preprocess:
        """What a configuration asks for."""
        return cls(config.size_px, config.in_channels, config.keep_aspect, config.antialias, config.normalisation)

    def as_json(self) -> dict[str, Any]:
        """Plain values for a model file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Preprocess:
        """What `as_json` gave."""
        return cls(**values)

    def placements(self, height: int, width: int) -> tuple[Placement, Placement]:
        """How rows and columns of an image lie in the square."""
        return placements(height, width, self.size_px, keep_aspect=self.keep_aspect)

    def square_u8(self, image: NDArray[np.uint8]) -> Tensor:
        """The square rounded to uint8, as the training cache keeps it."""
        return self.square(image).round().clamp(0, 255).to(torch.uint8)

    def square(self, image: NDArray[np.uint8]) -> Tensor:
        """Image (H, W, 3) uint8 to the square (C, S, S) float32 in 0-255, border around a kept aspect 0."""
        channels = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0))).to(torch.float32)
        if self.in_channels == 1:
            channels = channels.mean(0, keepdim=True)
        return self._squared(channels)

    def square_map(self, values: NDArray[np.float32]) -> Tensor:
        """Map (H, W) to the square (S, S) float32, by the same filter as the image."""
        return self._squared(torch.from_numpy(np.ascontiguousarray(values, np.float32))[None])[0]

    def inside(self, height: int, width: int) -> Tensor:
        """(S, S) bool: which pixels of the square show the image."""
        rows, columns = self.placements(height, width)
        return (rows.into_square(antialias=False).sum(1) > 0)[:, None] & (
            columns.into_square(antialias=False).sum(1) > 0
        )[None]

    def normalise(self, squares: Tensor, inside: Tensor | None = None) -> Tensor:
        """Squares (B, C, S, S) of 0-255 to the network's input, float32; what does not show the image becomes 0.

        inside: (B, S, S) bool, needed where the aspect is kept.
        """
        values = squares.to(torch.float32)
        counted = None if inside is None else inside.unsqueeze(1).to(values)
        if self.normalisation == "imagenet":
            mean, std = channel_statistics(self.in_channels, values.device)
            values = (values / 255 - mean) / std
        else:
            n = values[0].numel() if counted is None else counted.sum((1, 2, 3), keepdim=True) * values.shape[1]
            shown = values if counted is None else values * counted
            mean = shown.sum((1, 2, 3), keepdim=True) / n
            away = (values - mean) if counted is None else (values - mean) * counted
            std = (away.square().sum((1, 2, 3), keepdim=True) / n).sqrt()
            values = (values - mean) / std.clamp_min(1e-6)
        return values if counted is None else values * counted

    def back(self, square: Tensor, height: int, width: int) -> Tensor:
        """A network's output (..., S, S) in the image's own size (..., H, W)."""
        rows, columns = self.placements(height, width)
        return resample(
            square, rows.out_of_square(antialias=self.antialias), columns.out_of_square(antialias=self.antialias)
        )

    def _squared(self, channels: Tensor) -> Tensor:
        rows, columns = self.placements(*channels.shape[-2:])
        return resample(
            channels, rows.into_square(antialias=self.antialias), columns.into_square(antialias=self.antialias)
        )


def channel_statistics(channels: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """ImageNet mean and std (1, C, 1, 1); their means for grey images."""
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    if channels == 1:
        mean, std = mean.mean().reshape(1), std.mean().reshape(1)
    return mean.to(device)[None, :, None, None], std.to(device)[None, :, None, None]
