"""COCO's run-length encoding of masks: column by column, beginning with the background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_OFFSET = 48


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of 0 and 1 in column-major order; the first run is of 0 and may have length 0.

    Source: cocoapi, common/maskApi.c (rleEncode).
    """
    flat = np.asarray(mask, np.uint8).ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    lengths = np.diff(edges).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def mask_from_runs(lengths: list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (height, width) of these runs.

    Raises:
        ValueError: the runs do not add up to the mask.
    """
    if sum(lengths) != size[0] * size[1] or any(length < 0 for length in lengths):
        raise ValueError(f"runs add up to {sum(lengths)}, a mask of {size[0]} x {size[1]} needs {size[0] * size[1]}")
    values = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return values.reshape(size, order="F")


def compressed(lengths: list[int]) -> str:
    """The runs as COCO's text: differences to the run before the last, 5 bits per character.

    Source: cocoapi, common/maskApi.c (rleToString).
    """
    letters = []
    for i, length in enumerate(lengths):
        value = length - lengths[i - 2] if i > 2 else length
        while True:
            bits = value & 0x1F
            value >>= 5
            is_last = value == -1 if bits & 0x10 else value == 0
            letters.append(chr((bits if is_last else bits | 0x20) + _OFFSET))
            if is_last:
                break
    return "".join(letters)


def decompressed(text: str) -> list[int]:
    """The runs in COCO's text.

    Raises:
        ValueError: not such a text.
    """
    lengths: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place >= len(text):
                raise ValueError("the text of a mask ends too early")
            bits = ord(text[place]) - _OFFSET
            if not 0 <= bits < 64:
                raise ValueError(f"{text[place]!r} is no part of a mask")
            value |= (bits & 0x1F) << (5 * shift)
            more = bool(bits & 0x20)
            place, shift = place + 1, shift + 1
            if not more and bits & 0x10:
                value |= -1 << (5 * shift)
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
    return lengths
