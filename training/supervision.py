"""What a network is shown as label: levels of gaze maps, full masks, or the cheaper rivals made from masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from domain.errors import UserFacingError
from storage.snapshot_file import Snapshot, SnapshotItem
from training.config import TrainConfig
from training.numbers import generator

Float = NDArray[np.float32]

# Radius of a point's or scribble's stroke, as a share of the image's longer side.
STROKE = 0.01


@dataclass(frozen=True)
class LabelPlanes:
    """Targets and weights (levels, H, W) float32 in 0-1, in the image's own size or in the square's."""

    targets: Float
    weights: Float | None


def label_source(snapshot: Snapshot, item: SnapshotItem, config: TrainConfig) -> Float:
    """The one map (H, W) that is resized to the square and then turned into planes; strokes keep -1 = unknown.

    Raises:
        UserFacingError: the item lacks the map or the mask that this supervision needs.
    """
    if config.supervision == "gaze":
        fused = snapshot.fused_map(item)
        if fused is None:
            raise UserFacingError(f"{item.item_id} has no gaze map.", "Make its labels, or leave it out.")
        return fused
    mask = snapshot.mask(item)
    if mask is None:
        raise UserFacingError(
            f"{item.item_id} has no mask, which the supervision {config.supervision!r} needs.",
            "Train from gaze, or review its mask first.",
        )
    rng = generator(config.seed, "strokes", item.item_id)
    if config.supervision == "full":
        return mask.astype(np.float32)
    if config.supervision == "box":
        return _box(mask)
    return _points(mask, rng) if config.supervision == "point" else _scribbles(mask)


def trainable(snapshot: Snapshot, config: TrainConfig) -> list[SnapshotItem]:
    """The items of the training part that have the label this supervision needs."""
    needs_maps = config.supervision == "gaze"
    return [item for item in snapshot.of_split("train") if (item.maps if needs_maps else item.mask)]


def planes_from_square(square: Float, config: TrainConfig) -> LabelPlanes:
    """Levels of a map (S, S) that already has the square's size: resize first, threshold then, as published."""
    if config.supervision in ("point", "scribble"):
        known = (np.abs(square - 0.5) > 0.25).astype(np.float32)
        one = (square > 0.5).astype(np.float32)
        return LabelPlanes(np.repeat(one[None], config.n_levels, 0), np.repeat(known[None], config.n_levels, 0))
    thresholds = config.thresholds if config.supervision == "gaze" else (0.5,) * config.n_levels
    levels = np.stack([square - np.float32(t) for t in thresholds])
    if config.softness > 0 and config.supervision == "gaze":
        targets = np.clip(0.5 + levels / (2 * config.softness), 0, 1)
    else:
        # The tolerance keeps a map value that equals its threshold on the inside after a resize in float32.
        targets = (levels >= -1e-6).astype(np.float32)
    weights = None
    if config.uncertain_band > 0 and config.supervision == "gaze":
        weights = (np.abs(levels) >= config.uncertain_band).astype(np.float32)
    return LabelPlanes(targets.astype(np.float32), weights)


def _box(mask: NDArray[np.bool_]) -> Float:
    """The bounding boxes of the mask's parts, filled."""
    out = np.zeros(mask.shape, np.float32)
    numbered, _ = ndimage.label(mask)
    for region in ndimage.find_objects(numbered):
        out[region] = 1.0
    return out


def _points(mask: NDArray[np.bool_], rng: np.random.Generator, n_points: int = 10) -> Float:
    """Ten random points inside and ten outside (PointSup), as small discs; 0.5 elsewhere."""
    out = np.full(mask.shape, 0.5, np.float32)
    radius = max(1, round(STROKE * max(mask.shape)))
    for value in (1.0, 0.0):
        places = np.argwhere(mask == bool(value))
        if len(places):
            for row, column in places[rng.choice(len(places), min(n_points, len(places)), replace=False)]:
                out[_disc(mask.shape, int(row), int(column), radius) & (mask == bool(value))] = value
    return out


def _scribbles(mask: NDArray[np.bool_]) -> Float:
    """A stroke along the middle of the target and one around it; 0.5 elsewhere."""
    out = np.full(mask.shape, 0.5, np.float32)
    radius = max(1.0, STROKE * max(mask.shape))
    for value, side in ((1.0, mask), (0.0, ~mask)):
        depth = ndimage.distance_transform_edt(side)
        if depth.max() <= 0:
            continue
        # A level line half way between border and the deepest place: one closed stroke per part.
        middle = 0.5 * min(float(depth.max()), 0.1 * max(mask.shape))
        out[(np.abs(depth - max(middle, 0.5)) <= radius / 2) & side] = value
    return out


def _disc(shape: tuple[int, ...], row: int, column: int, radius: int) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside: NDArray[np.bool_] = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return inside
