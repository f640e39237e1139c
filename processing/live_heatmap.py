"""A heatmap that grows while somebody looks: each fixation or sample is added in well under a millisecond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain.labels import LabelParameters
from processing.compiled import compiled_loose
from processing.heatmap import sigma_as_share

F32 = NDArray[np.float32]
TRUNCATE = 4.0
"""Standard deviations after which the Gaussian ends, as in the finished map."""


class LiveHeatmap:
    """Sum of Gaussians over an image, kept as it grows.

    A fixation is a product of one Gaussian along x and one along y (rank 1). The finished map differs only by its
    canvas: less than 0.01 at any pixel in published mode.
    """

    def __init__(
        self,
        size: tuple[int, int],
        parameters: LabelParameters,
        *,
        image_px_per_deg: tuple[float, float] | None = None,
    ) -> None:
        """An empty map of an image (width, height); a smaller size of the same shape gives a coarser, faster map.

        `image_px_per_deg` is in pixels of this size; degrees mode needs it.
        """
        if min(size) < 1:
            raise ValueError(f"the size must be positive, got {size}")
        if parameters.heatmap_mode == "degrees" and image_px_per_deg is None:
            raise ValueError("degrees mode needs image_px_per_deg")
        share = sigma_as_share(parameters, size, image_px_per_deg)
        self.size = size
        self._sigma_px = (share[0] * size[0], share[1] * size[1])
        self._shift = (0.0, 0.0)
        if parameters.heatmap_mode == "published":
            # The published index round(768 p) - 1 lies half a canvas pixel to the left of and above the true place.
            self._shift = (-0.5 / 768, -0.5 / 768)
        self._sum: F32 = np.zeros((size[1], size[0]), np.float32)

    def add(self, xy_norm: tuple[float, float], duration_ms: float) -> None:
        """Add a look at a position (0-1 of the image) for so long; one off the image does not count."""
        x, y = xy_norm
        if not (0 <= x <= 1 and 0 <= y <= 1 and duration_ms > 0):
            return
        along_x = _gaussian(self.size[0], (x + self._shift[0]) * self.size[0] - 0.5, self._sigma_px[0])
        along_y = _gaussian(self.size[1], (y + self._shift[1]) * self.size[1] - 0.5, self._sigma_px[1])
        along_y *= np.float32(duration_ms)
        _add_product(self._sum, along_y, along_x)

    def fade(self, share: float) -> None:
        """Keep only this share of what was there, for a map that forgets."""
        self._sum *= np.float32(share)

    def clear(self) -> None:
        """Begin again."""
        self._sum[:] = 0.0

    @property
    def heatmap(self) -> F32:
        """The map so far, (H, W) float32, 0-1; zeros while nothing was looked at."""
        low, high = float(self._sum.min()), float(self._sum.max())
        if high <= low:
            return np.zeros_like(self._sum)
        return np.asarray((self._sum - np.float32(low)) * np.float32(1.0 / (high - low)), np.float32)


def _gaussian(n: int, centre: float, sigma: float) -> F32:
    """Truncated Gaussian at n places, what falls outside reflected at the borders (d c b a | a b c d | d c b a)."""
    places = np.arange(n, dtype=np.float32)
    out = np.zeros(n, np.float32)
    for middle in (centre, -1.0 - centre, 2.0 * n - 1.0 - centre):
        if middle < -TRUNCATE * sigma or middle > n + TRUNCATE * sigma:
            continue
        z = (places - np.float32(middle)) * np.float32(1.0 / sigma)
        out += np.where(np.abs(z) <= TRUNCATE, np.exp(np.float32(-0.5) * z * z), np.float32(0.0))
    return out


@compiled_loose
def _add_product(total: F32, along_y: F32, along_x: F32) -> None:
    for i in range(len(along_y)):
        factor = along_y[i]
        if factor == 0.0:
            continue
        row = total[i]
        for j in range(len(along_x)):
            row[j] += factor * along_x[j]
