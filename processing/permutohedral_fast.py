"""The permutohedral lattice of an image as compiled loops: the numbers of `permutohedral`, several times as fast.

What makes it fast: a pixel's simplex is looked up first and its six corners only once per simplex; pixels are sorted by
simplex, so that a filter pass loads six values for a whole run of pixels; two labels are one channel; slice, mean-field
update and splat are one walk over the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled, compiled_contracted, compiled_loose
from processing.permutohedral import F32, SLICE_SCALE, D, feature_scales

I32 = NDArray[np.int32]
U32 = NDArray[np.uint32]
"""Indices are unsigned where speed counts: a signed index costs a test for counting from the end."""
I64 = NDArray[np.int64]

Whole = int | np.integer[Any]

N_CORNERS = D + 1
COORDINATE_LIMIT = 2040
"""Largest lattice coordinate, in steps of six, that fits its 12 bits of a key."""

BLOCK_PX = 256
ROUNDER = np.float32(12582912.0)
"""1.5 * 2**23: adding and subtracting it rounds a float32 to the nearest even integer."""

PASS_PX = 4096
"""Pixels between slice and splat of the fused pass: few enough to stay in the first cache."""


@dataclass(frozen=True)
class SortedLattice:
    """The lattice of one image, its pixels sorted by simplex.

    order: (N,) pixel at each sorted place. starts: (S + 1,) first place of each simplex. corners: (S, 6) vertices.
    weights: (N, 6) barycentric, sorted. neighbours: (6, 2, M), M where there is none.
    """

    order: U32
    starts: U32
    corners: U32
    weights: F32
    neighbours: U32

    @property
    def n_vertices(self) -> int:
        """Number of occupied lattice points."""
        return int(self.neighbours.shape[2])

    @property
    def n_simplices(self) -> int:
        """Number of occupied simplices."""
        return len(self.corners)

    def filter(self, values: F32) -> F32:
        """Gaussian filter of one channel (N,) in sorted order."""
        vertices = np.zeros(self.n_vertices + 1, np.float32)
        ones, zeros = np.ones_like(values), np.zeros_like(values)
        splat_product(values, ones, self.starts, self.corners, self.weights, vertices, 0, self.n_simplices)
        blur(vertices, np.zeros_like(vertices), self.neighbours)
        out = np.empty_like(values)
        slice_affine(
            vertices, self.starts, self.corners, self.weights, ones * SLICE_SCALE, zeros, out, 0, self.n_simplices
        )
        return out

    def blocks(self, n_pixels: int) -> list[tuple[int, int]]:
        """Simplices in order, cut into stretches (begin, end) of about so many pixels, at least one simplex each."""
        bounds = [0]
        while bounds[-1] < self.n_simplices:
            wanted = int(self.starts[bounds[-1]]) + n_pixels
            end = int(np.searchsorted(self.starts, wanted, "right")) - 1
            bounds.append(min(max(end, bounds[-1] + 1), self.n_simplices))
        return list(pairwise(bounds))


def build_sorted_lattice(image_u8: NDArray[np.uint8], sxy: float, srgb: float) -> SortedLattice | None:
    """The lattice of an image (H, W, 3); None where its coordinates are too large for the packed keys."""
    height, width = image_u8.shape[:2]
    n = height * width
    weights = np.empty((n, N_CORNERS), np.float32)
    places, ranks = np.empty(n, np.int64), np.empty(n, np.int32)
    fits = _locate(
        np.ascontiguousarray(image_u8).reshape(n, 3),
        np.arange(width, dtype=np.float32) / np.float32(sxy),
        np.arange(height, dtype=np.float32) / np.float32(sxy),
        np.arange(256, dtype=np.float32) / np.float32(srgb),
        feature_scales(),
        places,
        ranks,
        weights,
    )
    if not fits:
        return None
    simplex_of_pixel = np.empty(n, np.uint32)
    n_simplices = int(_number_simplices(places, ranks, simplex_of_pixel))
    corners, keys = _join_corners(places[:n_simplices], ranks[:n_simplices])
    order, starts, sorted_weights = _sort_by_simplex(simplex_of_pixel, weights, n_simplices)
    return SortedLattice(order, starts, corners, sorted_weights, _neighbours(keys))


@compiled
def _locate(
    colours: NDArray[np.uint8],
    x_feature: F32,
    y_feature: F32,
    colour_feature: F32,
    scales: F32,
    places: I64,
    ranks: I32,
    weights: F32,
) -> bool:
    """Packed place and ranks of the simplex of every pixel, and its barycentric weights. False: out of range."""
    elevated = np.empty((6, BLOCK_PX), np.float32)
    share = np.empty((6, BLOCK_PX), np.float32)
    nearest = np.empty((6, BLOCK_PX), np.float32)
    rank = np.empty((6, BLOCK_PX), np.float32)
    total = np.empty(BLOCK_PX, np.float32)
    by_rank = np.empty(6, np.float32)
    one = np.float32(1.0)
    width = len(x_feature)
    for row in range(len(y_feature)):
        for column in range(0, width, BLOCK_PX):
            m = min(BLOCK_PX, width - column)
            begin = row * width + column
            part = slice(begin, begin + m)
            _elevate(colours[part], x_feature[column : column + m], y_feature[row], colour_feature, scales, elevated)
            if not _enclose(elevated, nearest, share, rank, total, places[part], ranks[part]):
                return False
            part_weights = weights[part]
            for p in range(m):
                for k in range(6):
                    by_rank[np.uint32(rank[k, p])] = share[k, p]
                part_weights[p, 0] = by_rank[5] + (one - by_rank[0])
                for k in range(1, 6):
                    part_weights[p, k] = by_rank[5 - k] - by_rank[6 - k]
    return True


@compiled
def _elevate(
    colours: NDArray[np.uint8],
    x_feature: F32,
    y: float,
    colour_feature: F32,
    scales: F32,
    elevated: F32,
) -> None:
    """Positions (6, m) of a stretch of one row on the hyperplane of the lattice; float32 in the published order."""
    c1 = y * scales[1]
    for p in range(len(x_feature)):
        c0 = x_feature[p] * scales[0]
        c2 = colour_feature[colours[p, 0]] * scales[2]
        c3 = colour_feature[colours[p, 1]] * scales[3]
        c4 = colour_feature[colours[p, 2]] * scales[4]
        elevated[5, p] = np.float32(-5.0) * c4
        elevated[4, p] = c4 - np.float32(4.0) * c3
        running = c4 + c3
        elevated[3, p] = running - np.float32(3.0) * c2
        running = running + c2
        elevated[2, p] = running - np.float32(2.0) * c1
        running = running + c1
        elevated[1, p] = running - c0
        elevated[0, p] = running + c0


@compiled
def _enclose(elevated: F32, nearest: F32, share: F32, rank: F32, total: F32, places: I64, ranks: I32) -> bool:
    """The simplex around each position: rank and share per axis, packed place and ranks. False: out of range.

    Whole numbers are kept as float32 and every branch is a multiplication: these loops become vector instructions.
    """
    sixth, six, zero, one = np.float32(1.0 / 6.0), np.float32(6.0), np.float32(0.0), np.float32(1.0)
    five, limit = np.float32(5.0), np.float32(COORDINATE_LIMIT)
    m = len(places)
    for p in range(m):
        total[p] = zero
    for k in range(6):
        for p in range(m):
            nearest[k, p] = (elevated[k, p] * sixth + ROUNDER) - ROUNDER
            share[k, p] = elevated[k, p] - nearest[k, p] * six
            total[p] += nearest[k, p]
    for k in range(6):
        for p in range(m):
            rank[k, p] = total[p]
    for a in range(6):
        for b in range(a + 1, 6):
            for p in range(m):
                less = one if share[a, p] < share[b, p] else zero
                rank[a, p] += less
                rank[b, p] += one - less
    for p in range(m):
        places[p] = 0
        ranks[p] = 0
    largest = zero
    for k in range(6):
        for p in range(m):
            wrap = one if rank[k, p] < zero else zero
            wrap -= one if rank[k, p] > five else zero
            rank[k, p] += six * wrap
            nearest[k, p] += wrap
            share[k, p] = (elevated[k, p] - nearest[k, p] * six) * sixth
        if k < 5:
            for p in range(m):
                largest = max(largest, abs(nearest[k, p]))
                places[p] = (places[p] << 12) + (np.int64(nearest[k, p]) + 2048)
                ranks[p] = (ranks[p] << 3) + np.int32(rank[k, p])
    return bool(largest <= limit)


@compiled
def _number_simplices(places: I64, ranks: I32, simplex_of_pixel: U32) -> int:
    """Number the distinct (place, ranks) in the order they appear; moves them to the front. Gives their number."""
    table = np.full(1 << 15, -1, np.int32)
    mask = len(table) - 1
    n_simplices = 0
    last_place, last_ranks, last = np.int64(-1), np.int32(-1), np.int32(-1)
    for i in range(len(places)):
        place, order = places[i], ranks[i]
        if place != last_place or order != last_ranks:
            slot = _slot(place, order, mask)
            last = table[slot]
            while last >= 0 and (places[last] != place or ranks[last] != order):
                slot = (slot + 1) & mask
                last = table[slot]
            if last < 0:
                last = np.int32(n_simplices)
                table[slot] = last
                places[n_simplices] = place
                ranks[n_simplices] = order
                n_simplices += 1
                if 2 * n_simplices > len(table):
                    table = _simplex_table(places, ranks, n_simplices, 4 * len(table))
                    mask = len(table) - 1
            last_place, last_ranks = place, order
        simplex_of_pixel[i] = last
    return n_simplices


@compiled
def _simplex_table(places: I64, ranks: I32, n: int, size: int) -> I32:
    """Hash table of the first n simplices."""
    table = np.full(size, -1, np.int32)
    for s in range(n):
        slot = _slot(places[s], ranks[s], size - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = np.int32(s)
    return table


@compiled
def _slot(place: Whole, ranks: Whole, mask: Whole) -> Whole:
    """Where to begin looking in a hash table of mask + 1 places: every bit of the key counts."""
    mixed = np.uint64(place) ^ (np.uint64(ranks) << np.uint64(40))
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return np.int64(mixed & np.uint64(mask))


@compiled
def _join_corners(places: I64, ranks: I32) -> tuple[U32, I64]:
    """Vertices (S, 6) of the simplices, and the packed coordinates (M,) of the vertices.

    All six coordinates of a lattice point are equal modulo 6 (its remainder), so a key is five coordinates in steps of
    six, 12 bits each, and the remainder in 3 bits.
    """
    n = len(places)
    corners = np.empty((n, 6), np.uint32)
    table = np.full(1 << 15, -1, np.int32)
    keys = np.empty(6 * n, np.int64)
    n_vertices = 0
    step_of_rank = np.empty(6, np.int64)
    for s in range(n):
        # From one corner to the next, the axis whose rank comes next goes one step of six down.
        step_of_rank[:] = 0
        for k in range(5):
            step_of_rank[(ranks[s] >> (3 * (4 - k))) & 7] = np.int64(1) << np.int64(12 * (4 - k))
        place = places[s]
        for corner in range(6):
            key = (place << np.int64(3)) | np.int64(corner)
            place -= step_of_rank[5 - corner]
            mask = len(table) - 1
            slot = _slot(key, np.int32(0), mask)
            found = table[slot]
            while found >= 0 and keys[found] != key:
                slot = (slot + 1) & mask
                found = table[slot]
            if found < 0:
                found = np.int32(n_vertices)
                table[slot] = found
                keys[n_vertices] = key
                n_vertices += 1
                if 2 * n_vertices > len(table):
                    table = _table_of(keys, n_vertices, 4 * len(table))
            corners[s, corner] = found
    return corners, keys[:n_vertices]


@compiled
def _table_of(keys: I64, n: int, size: int) -> I32:
    """Hash table of the first n keys."""
    table = np.full(size, -1, np.int32)
    for i in range(n):
        slot = _slot(keys[i], np.int32(0), size - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = np.int32(i)
    return table


@compiled
def _neighbours(keys: I64) -> U32:
    """Both neighbours (6, 2, M) of each vertex along each axis; M where there is none."""
    n = len(keys)
    size = 1 << 12
    while size < 2 * n:
        size *= 2
    table = _table_of(keys, n, size)
    out = np.empty((6, 2, n), np.uint32)
    ones = np.int64(0)
    for k in range(5):
        ones |= np.int64(1) << np.int64(12 * k)
    for i in range(n):
        corner = keys[i] & np.int64(7)
        place = keys[i] >> np.int64(3)
        # One step down on all axes but one, on which it is five up: the remainder falls by one (modulo six).
        below = place if corner > 0 else place - ones
        above = place if corner < 5 else place + ones
        key_below = (below << np.int64(3)) | (corner - 1 if corner > 0 else np.int64(5))
        key_above = (above << np.int64(3)) | (corner + 1 if corner < 5 else np.int64(0))
        for axis in range(6):
            step = np.int64(0)
            if axis < 5:
                step = np.int64(1) << np.int64(12 * (4 - axis) + 3)
            out[axis, 0, i] = _place_of(key_below + step, keys, table)
            out[axis, 1, i] = _place_of(key_above - step, keys, table)
    return out


@compiled
def _place_of(key: Whole, keys: I64, table: I32) -> Whole:
    slot = _slot(key, np.int32(0), len(table) - 1)
    found = table[slot]
    while found >= 0 and keys[found] != key:
        slot = (slot + 1) & (len(table) - 1)
        found = table[slot]
    return found if found >= 0 else np.int32(len(keys))


@compiled
def _sort_by_simplex(simplex_of_pixel: U32, weights: F32, n_simplices: int) -> tuple[U32, U32, F32]:
    """Counting sort of the pixels: (order, first place of each simplex, weights in that order)."""
    n = len(simplex_of_pixel)
    starts = np.zeros(n_simplices + 1, np.uint32)
    for i in range(n):
        starts[simplex_of_pixel[i] + 1] += 1
    for s in range(n_simplices):
        starts[s + 1] += starts[s]
    cursor = starts[:-1].copy()
    order = np.empty(n, np.uint32)
    sorted_weights = np.empty_like(weights)
    for i in range(n):
        s = simplex_of_pixel[i]
        place = cursor[s]
        cursor[s] = place + 1
        order[place] = i
        for k in range(6):
            sorted_weights[place, k] = weights[i, k]
    return order, starts, sorted_weights


@compiled_loose
def blur(vertices: F32, spare: F32, neighbours: U32) -> None:
    """[1/2 1 1/2] along the six axes, in place; both arrays end with a zero for the neighbours there are not."""
    n = neighbours.shape[2]
    half = np.float32(0.5)
    for pair in range(3):
        first, second = 2 * pair, 2 * pair + 1
        for i in range(n):
            spare[i] = vertices[i] + half * (vertices[neighbours[first, 0, i]] + vertices[neighbours[first, 1, i]])
        for i in range(n):
            vertices[i] = spare[i] + half * (spare[neighbours[second, 0, i]] + spare[neighbours[second, 1, i]])


@compiled_loose
def slice_affine(
    vertices: F32, starts: U32, corners: U32, weights: F32, gain: F32, constant: F32, out: F32, begin: int, end: int
) -> None:
    """Out = constant + gain * (interpolated vertices), for the pixels of simplices begin to end."""
    for s in range(begin, end):
        v0, v1 = vertices[corners[s, 0]], vertices[corners[s, 1]]
        v2, v3 = vertices[corners[s, 2]], vertices[corners[s, 3]]
        v4, v5 = vertices[corners[s, 4]], vertices[corners[s, 5]]
        for p in range(starts[s], starts[s + 1]):
            value = weights[p, 0] * v0 + weights[p, 1] * v1 + weights[p, 2] * v2
            value += weights[p, 3] * v3 + weights[p, 4] * v4 + weights[p, 5] * v5
            out[p] = constant[p] + gain[p] * value


@compiled_contracted
def sigmoid_in_place(logit: F32, bits: I32, power: F32, begin: int, end: int) -> None:
    """1 / (1 + exp(-logit)) for places begin to end, to 2e-7; `power` is `bits` seen as float32.

    exp(-x) = 2**k * 2**f with |f| <= 1/2: 2**f by its Taylor series, 2**k by moving k into the exponent; adding
    `ROUNDER` leaves k in the lowest bits. Plain loops, so that they become vector instructions.
    """
    one, most = np.float32(1.0), np.float32(126.0)
    for block in range(begin, end, PASS_PX):
        part = logit[block : min(block + PASS_PX, end)]
        for i in range(len(part)):
            y = min(max(part[i] * np.float32(-1.4426950408889634), -most), most)
            power[i] = y + ROUNDER
            f = (y - (power[i] - ROUNDER)) * np.float32(0.6931471805599453)
            e = np.float32(1.0 / 5040.0) * f + np.float32(1.0 / 720.0)
            e = e * f + np.float32(1.0 / 120.0)
            e = e * f + np.float32(1.0 / 24.0)
            e = e * f + np.float32(1.0 / 6.0)
            e = e * f + np.float32(0.5)
            e = e * f + one
            part[i] = e * f + one
        for i in range(len(part)):
            bits[i] = (bits[i] << 23) + 0x3F800000
        for i in range(len(part)):
            part[i] = one / (one + part[i] * power[i])


@compiled_loose
def splat_product(
    values: F32, norm: F32, starts: U32, corners: U32, weights: F32, vertices: F32, begin: int, end: int
) -> None:
    """Add each pixel's value times its norm to the six corners of its simplex, for simplices begin to end."""
    for s in range(begin, end):
        a0 = a1 = a2 = a3 = a4 = a5 = np.float32(0.0)
        for p in range(starts[s], starts[s + 1]):
            value = values[p] * norm[p]
            a0 += weights[p, 0] * value
            a1 += weights[p, 1] * value
            a2 += weights[p, 2] * value
            a3 += weights[p, 3] * value
            a4 += weights[p, 4] * value
            a5 += weights[p, 5] * value
        vertices[corners[s, 0]] += a0
        vertices[corners[s, 1]] += a1
        vertices[corners[s, 2]] += a2
        vertices[corners[s, 3]] += a3
        vertices[corners[s, 4]] += a4
        vertices[corners[s, 5]] += a5
