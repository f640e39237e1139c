"""The plain 2-D U-Net of the published method: two convolutions per stage, group norm, leaky ReLU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 4
SLOPE = 0.1


class TwoConvolutions(nn.Module):
    """Twice: 3 x 3 convolution, group norm, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.first_norm = nn.GroupNorm(GROUPS, out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.second_norm = nn.GroupNorm(GROUPS, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H, W)."""
        x = functional.leaky_relu(self.first_norm(self.first(x)), SLOPE, inplace=True)
        return functional.leaky_relu(self.second_norm(self.second(x)), SLOPE, inplace=True)


class UpStage(nn.Module):
    """Transposed convolution to twice the size, joined with the encoder's map of that size."""

    def __init__(self, in_channels: int, up_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, up_channels, 2, stride=2)
        self.convolutions = TwoConvolutions(skip_channels + up_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """The coarse map and the encoder's map to one map of the encoder's size."""
        x = self.up(x)
        missing = (skip.shape[-1] - x.shape[-1], skip.shape[-2] - x.shape[-2])
        if any(missing):
            x = functional.pad(x, (0, missing[0], 0, missing[1]), mode="replicate")
        out: Tensor = self.convolutions(torch.cat([skip, x], dim=1))
        return out


class BasicUnet(nn.Module):
    """Features of full resolution from an image.

    features: channels of the five encoder stages and of the last decoder stage. Source of the layout: Falk et al.,
    Nature Methods 16 (2019), in the form the published code takes from MONAI's BasicUNet (2-D, deconvolution).
    """

    def __init__(self, in_channels: int, feature_dim: int, features: Sequence[int]) -> None:
        super().__init__()
        f = list(features)
        self.entry = TwoConvolutions(in_channels, f[0])
        self.down = nn.ModuleList(TwoConvolutions(f[i], f[i + 1]) for i in range(4))
        self.up = nn.ModuleList(
            [
                UpStage(f[4], f[4] // 2, f[3], f[3]),
                UpStage(f[3], f[3] // 2, f[2], f[2]),
                UpStage(f[2], f[2] // 2, f[1], f[1]),
                # The last stage keeps its channels: 192 to 128 in the published sizes.
                UpStage(f[1], f[1], f[0], f[5]),
            ]
        )
        self.exit = nn.Conv2d(f[5], feature_dim, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, in, H, W) to features (B, feature_dim, H, W)."""
        maps = [self.entry(image)]
        for stage in self.down:
            maps.append(stage(functional.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for stage in self.up:
            x = stage(x, maps.pop())
        out: Tensor = self.exit(x)
        return out
