"""Mean field on the compiled lattice: the numbers of `dense_crf.SparseMeanField`, several times as fast."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled
from processing.mean_field import F32, Tick
from processing.permutohedral import SLICE_SCALE
from processing.permutohedral_fast import (
    PASS_PX,
    U32,
    SortedLattice,
    blur,
    build_sorted_lattice,
    sigmoid_in_place,
    slice_affine,
    splat_product,
)

Block = tuple[int, int]


class FastMeanField:
    """Mean field with one channel on pixels sorted by simplex; slice, update and splat in one walk."""

    def __init__(self, lattice: SortedLattice, compat: float, threads: int) -> None:
        self._lattice = lattice
        self._compat = np.float32(compat)
        ones = np.ones(len(lattice.order), np.float32)
        self._norm: F32 = (1.0 / np.sqrt(lattice.filter(ones) + np.float32(1e-20))).astype(np.float32)
        self._constant: F32 = self._compat * (self._norm * lattice.filter(self._norm))
        self._gain: F32 = self._norm * (np.float32(2.0) * self._compat * SLICE_SCALE)
        blocks = lattice.blocks(PASS_PX)
        share = -(-len(blocks) // threads)
        self._shares = [blocks[i : i + share] for i in range(0, len(blocks), share)]

    @classmethod
    def build(
        cls, image_u8: NDArray[np.uint8], sxy: float, srgb: float, compat: float, threads: int
    ) -> FastMeanField | None:
        """For an image (H, W, 3); None where the fast lattice cannot hold it."""
        lattice = build_sorted_lattice(image_u8, sxy, srgb)
        return cls(lattice, compat, threads) if lattice is not None else None

    @property
    def n_vertices(self) -> int:
        """Number of occupied lattice points."""
        return self._lattice.n_vertices

    def infer(self, unary: F32, iterations: int, tick: Tick) -> F32:
        """Foreground probability (N,) from the unary logit (N,); `tick` is called before each iteration."""
        lattice = self._lattice
        logit = unary[lattice.order]
        constant = logit - self._constant
        probability = logit
        vertices = np.zeros(lattice.n_vertices + 1, np.float32)
        sums = [np.zeros_like(vertices) for _ in self._shares]
        with ExitStack() as stack:
            pool = None
            if len(self._shares) > 1:
                pool = stack.enter_context(ThreadPoolExecutor(len(self._shares) - 1))
            self._each(pool, sums, lambda blocks, out: self._start(probability, blocks, out))
            for i in range(iterations):
                tick(i)
                np.sum(sums, axis=0, out=vertices)
                blur(vertices, sums[0], lattice.neighbours)
                self._each(pool, sums, lambda blocks, out: self._pass(vertices, constant, probability, blocks, out))
        out = np.empty_like(probability)
        out[lattice.order] = probability
        return out

    def _each(self, pool: ThreadPoolExecutor | None, sums: list[F32], work: Callable[[list[Block], F32], None]) -> None:
        """Do the work on every share of the pixels, the first one in this thread."""
        waiting = [pool.submit(work, *pair) for pair in zip(self._shares[1:], sums[1:], strict=True)] if pool else []
        work(self._shares[0], sums[0])
        for future in waiting:
            future.result()

    def _start(self, probability: F32, blocks: list[Block], sums: F32) -> None:
        lattice = self._lattice
        bits = np.empty(PASS_PX, np.int32)
        sums[:] = 0.0
        power, bounds = bits.view(np.float32), _bounds(blocks)
        _squash_and_splat(
            probability, bits, power, self._norm, lattice.starts, lattice.corners, lattice.weights, sums, bounds
        )

    def _pass(self, vertices: F32, constant: F32, probability: F32, blocks: list[Block], sums: F32) -> None:
        lattice = self._lattice
        bits = np.empty(PASS_PX, np.int32)
        sums[:] = 0.0
        _update_and_splat(
            vertices,
            constant,
            self._gain,
            probability,
            bits,
            bits.view(np.float32),
            self._norm,
            lattice.starts,
            lattice.corners,
            lattice.weights,
            sums,
            _bounds(blocks),
        )


def _bounds(blocks: list[Block]) -> NDArray[np.int64]:
    return np.array([blocks[0][0], *(end for _, end in blocks)], np.int64)


# One call for all blocks: each call lets go of the interpreter and has to get it back, which a window that is busy
# does not give at once. Ten thousand small calls made a mask of 0.2 s take seconds.


@compiled
def _squash_and_splat(
    probability: F32,
    bits: NDArray[np.int32],
    power: F32,
    norm: F32,
    starts: U32,
    corners: U32,
    weights: F32,
    sums: F32,
    bounds: NDArray[np.int64],
) -> None:
    """Logits become probabilities in place, and go to the vertices; `power` is `bits` seen as float32."""
    for block in range(len(bounds) - 1):
        begin, end = bounds[block], bounds[block + 1]
        sigmoid_in_place(probability, bits, power, int(starts[begin]), int(starts[end]))
        splat_product(probability, norm, starts, corners, weights, sums, begin, end)


@compiled
def _update_and_splat(
    vertices: F32,
    constant: F32,
    gain: F32,
    probability: F32,
    bits: NDArray[np.int32],
    power: F32,
    norm: F32,
    starts: U32,
    corners: U32,
    weights: F32,
    sums: F32,
    bounds: NDArray[np.int64],
) -> None:
    """New logits from the vertices, and their probabilities to the vertices again, all while in the cache."""
    for block in range(len(bounds) - 1):
        begin, end = bounds[block], bounds[block + 1]
        slice_affine(vertices, starts, corners, weights, gain, constant, probability, begin, end)
        sigmoid_in_place(probability, bits, power, int(starts[begin]), int(starts[end]))
        splat_product(probability, norm, starts, corners, weights, sums, begin, end)
