"""Where a simulated person looks next: over the image first, then over the target from its centre outward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.scene import Scene

GRID = 64
LATENCY_S = (0.18, 0.25)
"""From something new on the screen to the first saccade (visually guided saccades: 180-250 ms)."""

FIXATION_MEDIAN_S, FIXATION_SPREAD = 0.28, 0.35
KEPT_S = 5.0
"""A point that is kept is looked at again and again for so long."""
LANDING_ERROR_DEG = 0.35
UNDERSHOOT = 0.05


@dataclass(frozen=True)
class Look:
    """Stay at a point of the display area for a while."""

    point_norm: tuple[float, float]
    duration_s: float


class GazePlan:
    """Decides one fixation after the other for one scene; all randomness comes from the generator it is given."""

    def __init__(self, scene: Scene | None, rng: np.random.Generator) -> None:
        self._scene = scene
        self._rng = rng
        self._queue: list[tuple[float, float]] = []
        self._n_done = 0
        self._regions = _regions(scene.mask) if scene is not None and scene.mask is not None else []
        self._n_scan = int(rng.integers(2, 5))

    def next_look(self) -> Look:
        """The next fixation."""
        duration = float(FIXATION_MEDIAN_S * np.exp(self._rng.normal(0.0, FIXATION_SPREAD)))
        duration = min(max(duration, 0.12), 0.9)
        number, self._n_done = self._n_done, self._n_done + 1
        scene = self._scene
        if scene is None:
            return Look((0.5, 0.5), duration)
        if scene.points_norm:
            last = number >= len(scene.points_norm) - 1
            point = scene.points_norm[min(number, len(scene.points_norm) - 1)]
            return Look(point, KEPT_S if last else scene.dwell_s)
        if scene.view is None:
            return Look((0.5, 0.5), duration)
        width, height = scene.view.image_size
        if number == 0:
            xy = (width / 2.0, height / 2.0)
        elif number < self._n_scan or not self._regions:
            xy = (float(self._rng.uniform(0.1, 0.9) * width), float(self._rng.uniform(0.1, 0.9) * height))
        else:
            if not self._queue:
                self._queue = self._sweep()
            xy = self._queue.pop(0)
        return Look(self._landed(xy), duration)

    def _sweep(self) -> list[tuple[float, float]]:
        """One pass over each region: its centre first, then rings outward to its border."""
        path: list[tuple[float, float]] = []
        for region in self._regions:
            path += region.sweep(self._rng)
        return path

    def _landed(self, xy: tuple[float, float]) -> tuple[float, float]:
        scene = self._scene
        if scene is None or scene.view is None:
            return (0.5, 0.5)
        per_deg = np.asarray(scene.display.px_per_deg())
        error_px = self._rng.normal(0.0, LANDING_ERROR_DEG / np.sqrt(2.0), 2) * per_deg
        screen = scene.view.screen_from_image_xy(xy) + error_px
        x, y = scene.display.norm_from_px(screen)
        return (float(x), float(y))


@dataclass(frozen=True)
class _Region:
    """One connected part of the target on a coarse grid: cell centres (n, 2) in image pixels, depth (n,) 0-1."""

    xy: NDArray[np.float64]
    depth: NDArray[np.float64]

    def sweep(self, rng: np.random.Generator) -> list[tuple[float, float]]:
        centre = self.xy[self.depth >= self.depth.max() - 1e-9].mean(axis=0)
        path = [(float(centre[0]), float(centre[1]))]
        n_rings = 1 if len(self.xy) < 12 else 2 if len(self.xy) < 150 else 3
        for ring in range(n_rings):
            wanted = 1.0 - (ring + 1) / n_rings  # depth 0 is the border
            spread = 0.6 / n_rings
            near = np.flatnonzero(np.abs(self.depth - wanted) <= spread)
            if len(near) == 0:
                continue
            angle = np.arctan2(self.xy[near, 1] - centre[1], self.xy[near, 0] - centre[0])
            start = rng.uniform(-np.pi, np.pi)
            n_looks = min(3 + 2 * ring, len(near))
            for step in range(n_looks):
                wanted_angle = start + 2 * np.pi * (step + rng.uniform(-0.2, 0.2)) / n_looks
                off = np.abs(np.angle(np.exp(1j * (angle - wanted_angle))))
                best = near[int(np.argmin(off + rng.uniform(0.0, 0.3, len(near))))]
                path.append((float(self.xy[best, 0]), float(self.xy[best, 1])))
        return path


def _regions(mask: NDArray[np.bool_]) -> list[_Region]:
    height, width = mask.shape
    rows, columns = min(GRID, height), min(GRID, width)
    row_edges = np.linspace(0, height, rows + 1).astype(int)
    column_edges = np.linspace(0, width, columns + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(mask.astype(np.float64), row_edges[:-1], 0), column_edges[:-1], 1)
    areas = np.outer(np.diff(row_edges), np.diff(column_edges))
    grid = sums / areas > 0.5
    if not grid.any():
        grid = sums > 0.0
    depth = _depth(grid)
    found = []
    for cells in _components(grid):
        r, c = cells[:, 0], cells[:, 1]
        x = (column_edges[c] + column_edges[c + 1]) / 2.0
        y = (row_edges[r] + row_edges[r + 1]) / 2.0
        layer = depth[r, c]
        found.append(_Region(np.column_stack([x, y]), (layer - 1) / max(1.0, layer.max() - 1)))
    return sorted(found, key=lambda region: -len(region.xy))[:8]


def _depth(grid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many erosions each cell survives."""
    depth = np.zeros(grid.shape)
    left = np.pad(grid, 1)
    while left.any():
        depth += left[1:-1, 1:-1]
        core = left[1:-1, 1:-1] & left[:-2, 1:-1] & left[2:, 1:-1] & left[1:-1, :-2] & left[1:-1, 2:]
        left = np.pad(core, 1)
    return depth


def _components(grid: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Cells (row, column) of each 4-connected part."""
    todo = {(int(r), int(c)) for r, c in np.argwhere(grid)}
    parts = []
    while todo:
        front = [todo.pop()]
        part = []
        while front:
            r, c = front.pop()
            part.append((r, c))
            for cell in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
                if cell in todo:
                    todo.remove(cell)
                    front.append(cell)
        parts.append(np.array(sorted(part), np.int64))
    return parts
