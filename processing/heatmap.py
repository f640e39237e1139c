"""Where was looked for how long, as a map over the image: duration-weighted Gaussians, normalised to 0-1."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from domain.errors import UserFacingError
from domain.fixations import ImageFixations
from domain.labels import LabelParameters

CANVAS_PX = 768
"""Side of the square on which the published maps are drawn (Zhong et al. 2024, code med-air/GazeMedSeg)."""

Map = NDArray[np.float32]
Float = NDArray[np.float64]


def fixation_heatmap(
    fixations: ImageFixations,
    size: tuple[int, int],
    parameters: LabelParameters,
    *,
    image_px_per_deg: tuple[float, float] | None = None,
) -> Map:
    """Heatmap of one trial.

    `published` mode draws on a 768 x 768 canvas whatever the image's shape: each fixation adds its duration at
    (round(768 p) - 1), a Gaussian of `sigma` canvas pixels (truncated at 4 sigma, reflected at the border) follows,
    then min-max, then cubic resampling to the image. The numbers are those of the published scripts to the last bit of
    their 8-bit maps; a fixation at exactly 0 stays on its side of the canvas instead of wrapping to the opposite one,
    one outside the image does not count, and no fixation gives zeros instead of 0/0, unless
    `reproduce_published_quirks` is set.

    `degrees` mode draws on the image itself with `sigma` in degrees of visual angle, at half-pixel centres.

    Args:
        fixations: positions as shares of the image.
        size: (width, height) of the image in pixels.
        parameters: mode, sigma, shortest fixation, quirks.
        image_px_per_deg: image pixels in one degree, horizontally and vertically; `degrees` mode needs it.

    Returns:
        (H, W) float32 in 0-1; all zeros where nothing was looked at.

    Raises:
        UserFacingError: degrees mode without the image's size on the screen.
        IndexError, ValueError: only with the published quirks: a position beyond 1, or not a number.
    """
    if parameters.heatmap_mode == "degrees":
        if image_px_per_deg is None:
            raise UserFacingError(
                "A heatmap in degrees needs to know how large the image was on the screen.",
                "Record in Sightline, give screen size and distance on import, or use the published mode.",
            )
        xy, weights = counted(fixations, parameters)
        columns = np.clip(np.floor(xy[:, 0] * size[0]).astype(np.int64), 0, size[0] - 1)
        rows = np.clip(np.floor(xy[:, 1] * size[1]).astype(np.int64), 0, size[1] - 1)
        sigma_x, sigma_y = (parameters.sigma * pixels for pixels in image_px_per_deg)
        blurred = _blurred(rows, columns, weights, _blur_operator(size[1], sigma_y), _blur_operator(size[0], sigma_x))
        return _normalised(blurred)
    if parameters.reproduce_published_quirks:
        rows, columns, weights = _published_pixels_with_quirks(fixations)
    else:
        rows, columns, weights = _published_pixels(fixations, parameters)
        if not weights.sum() > 0:
            return np.zeros((size[1], size[0]), np.float32)
    operator = _blur_operator(CANVAS_PX, parameters.sigma)
    canvas = _normalised(
        _blurred(rows, columns, weights, operator, operator), zero_over_zero=parameters.reproduce_published_quirks
    )
    resized = cv2.resize(canvas, dsize=size, interpolation=cv2.INTER_CUBIC)
    if parameters.reproduce_published_quirks:
        return np.asarray(resized, np.float32)
    # The cubic kernel overshoots by up to 4e-5; the 8-bit map is the same with and without it.
    return np.asarray(np.clip(resized, 0.0, 1.0), np.float32)


def counted(fixations: ImageFixations, parameters: LabelParameters) -> tuple[Float, Float]:
    """Positions (n, 2) and durations (n,) of the fixations that count: long enough, and on the image."""
    xy = np.asarray(fixations.xy_norm, np.float64)
    with np.errstate(invalid="ignore"):  # a position that is not a number is off the image
        keep = np.all((xy >= 0) & (xy <= 1), axis=1) & (fixations.duration_ms >= parameters.min_fixation_ms)
    return xy[keep], np.asarray(fixations.duration_ms[keep], np.float64)


def published_u8(heatmap: Map) -> NDArray[np.uint8]:
    """The 8-bit map that the published scripts store: rounded to float16, times 255 in float16, truncated.

    NumPy's own float16 arithmetic takes ten times as long as these integer steps. What is not a number becomes 0, which
    the published scripts leave to the machine.
    """
    values = np.where(np.isfinite(heatmap), np.clip(heatmap, 0, 1), np.float32(0)).astype(np.float32)
    return _rounded_to_half(_rounded_to_half(values) * np.float32(255)).astype(np.uint8)


def _rounded_to_half(values: Map) -> Map:
    """Float32 values rounded to the eleven bits of a float16, halves to even; right from 2**-14 up."""
    bits = values.view(np.uint32)
    bits = (bits + (np.uint32(0x0FFF) + ((bits >> np.uint32(13)) & np.uint32(1)))) & np.uint32(0xFFFFE000)
    return bits.view(np.float32)


def single_fixation_share(threshold: float, sigma_share: tuple[float, float]) -> float:
    """Share of the image that one fixation alone lifts to a threshold: no smaller target can be told apart.

    `sigma_share` is sigma as a share of the image's width and height (published: 70 / 768 each). Closed form: the
    ellipse where exp(-r^2 / 2) = threshold.
    """
    return float(2 * np.pi * sigma_share[0] * sigma_share[1] * np.log(1 / threshold))


def sigma_as_share(
    parameters: LabelParameters, size: tuple[int, int], image_px_per_deg: tuple[float, float] | None
) -> tuple[float, float]:
    """Sigma as a share of the image's width and height."""
    if parameters.heatmap_mode == "published" or image_px_per_deg is None:
        return parameters.sigma / CANVAS_PX, parameters.sigma / CANVAS_PX
    return (
        parameters.sigma * image_px_per_deg[0] / size[0],
        parameters.sigma * image_px_per_deg[1] / size[1],
    )


def _published_pixels(
    fixations: ImageFixations, parameters: LabelParameters
) -> tuple[NDArray[np.int64], NDArray[np.int64], Float]:
    xy, weights = counted(fixations, parameters)
    # np.round rounds halves to even, as Python's round in the published scripts does.
    pixels = np.clip(np.round(xy * CANVAS_PX).astype(np.int64) - 1, 0, CANVAS_PX - 1)
    return pixels[:, 1], pixels[:, 0], weights


def _published_pixels_with_quirks(
    fixations: ImageFixations,
) -> tuple[NDArray[np.int64], NDArray[np.int64], Float]:
    """Every fixation counts; 0 becomes index -1, the opposite border; beyond 1 is an error."""
    if np.any(~np.isfinite(fixations.xy_norm)):
        raise ValueError("cannot convert float NaN to integer")
    pixels = np.round(fixations.xy_norm * CANVAS_PX).astype(np.int64) - 1
    if np.any((pixels >= CANVAS_PX) | (pixels < -CANVAS_PX)):
        raise IndexError(f"a fixation lies beyond the canvas of {CANVAS_PX} pixels")
    pixels %= CANVAS_PX
    return pixels[:, 1], pixels[:, 0], np.asarray(fixations.duration_ms, np.float64)


@lru_cache(maxsize=8)
def _blur_operator(n: int, sigma: float) -> Float:
    """Matrix (n, n) of a truncated, reflected Gaussian filter along one axis: column j is the filtered unit at j."""
    operator = ndimage.gaussian_filter1d(np.eye(n), sigma, axis=0)
    operator.setflags(write=False)
    return np.asarray(operator, np.float64)


def _blurred(
    rows: NDArray[np.int64], columns: NDArray[np.int64], weights: Float, along_y: Float, along_x: Float
) -> Map:
    """Gaussian filter of the map that holds `weights` at (rows, columns) and zero elsewhere.

    The filter is separable and the map nearly empty, so only the occupied columns are filtered along y, and one matrix
    product spreads them along x. The intermediate is rounded to float32 where scipy's filter of a float32 map rounds.
    """
    if len(weights) == 0:
        return np.zeros((len(along_y), len(along_x)), np.float32)
    occupied, place = np.unique(columns, return_inverse=True)
    dense = np.zeros((len(along_y), len(occupied)), np.float32)
    np.add.at(dense, (rows, place), weights.astype(np.float32))
    used = np.unique(rows)
    filtered = (along_y[:, used] @ dense[used].astype(np.float64)).astype(np.float32)
    return np.asarray(filtered.astype(np.float64) @ along_x[:, occupied].T, np.float32)


def _normalised(heatmap: Map, *, zero_over_zero: bool = False) -> Map:
    low, high = heatmap.min(), heatmap.max()
    if high == low and not zero_over_zero:
        return np.zeros_like(heatmap)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((heatmap - low) / ((high - low) * np.float32(1.0)), np.float32)
