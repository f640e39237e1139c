"""The one resize of training, prediction and export: two small matrices per image, so that all three agree exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Placement:
    """How one side of an image lies in the network's square: square px = offset + scale * image px."""

    n_image: int
    n_square: int
    scale: float
    offset: float

    def into_square(self, *, antialias: bool) -> Tensor:
        """Matrix (n_square, n_image) that resamples the side; rows beyond the image are 0."""
        centres = (torch.arange(self.n_square, dtype=torch.float64) + 0.5 - self.offset) / self.scale
        return _triangle(centres, self.n_image, 1.0 / self.scale if antialias else 1.0, outside_is_zero=True)

    def out_of_square(self, *, antialias: bool) -> Tensor:
        """Matrix (n_image, n_square) that brings a network's output back to the image's size."""
        centres = (torch.arange(self.n_image, dtype=torch.float64) + 0.5) * self.scale + self.offset
        return _triangle(centres, self.n_square, self.scale if antialias else 1.0, outside_is_zero=False)


def placements(height: int, width: int, size: int, *, keep_aspect: bool) -> tuple[Placement, Placement]:
    """The placements of rows and columns: stretched to the square, or whole and centred in it."""
    if not keep_aspect:
        return Placement(height, size, size / height, 0.0), Placement(width, size, size / width, 0.0)
    scale = size / max(height, width)
    return (
        Placement(height, size, scale, (size - height * scale) / 2),
        Placement(width, size, scale, (size - width * scale) / 2),
    )


def resample(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Image (..., h, w) by matrices (H, h) and (W, w) to (..., H, W), in the image's type."""
    return rows.to(image) @ image @ columns.to(image).transpose(-1, -2)


def _triangle(centres: Tensor, n: int, stretch: float, *, outside_is_zero: bool) -> Tensor:
    """Triangle filter weights (len(centres), n), each row summing to 1; bilinear where `stretch` <= 1.

    Equal to bilinear interpolation with half-pixel centres, clamped at the border, with or without antialias.
    """
    support = max(1.0, stretch)
    samples = torch.arange(n, dtype=torch.float64) + 0.5
    weights = (1.0 - (samples - centres.clamp(0.5, n - 0.5).unsqueeze(1)).abs() / support).clamp_min(0.0)
    if stretch > 1.0:
        # A wide filter keeps its true centre at the border, where it is cut off and normalised.
        weights = (1.0 - (samples - centres.unsqueeze(1)).abs() / support).clamp_min(0.0)
    total = weights.sum(1, keepdim=True)
    weights = torch.where(total > 0, weights / total.clamp_min(1e-12), torch.zeros_like(weights))
    if outside_is_zero:
        inside = (centres >= 0) & (centres < n)
        weights = weights * inside.unsqueeze(1)
    return weights.to(torch.float32)
