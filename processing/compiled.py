"""Loops over samples and pixels, compiled where numba is installed and plain Python where it is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., object])


def _numba() -> ModuleType | None:
    if os.environ.get("SIGHTLINE_NO_NUMBA", "") == "1":
        return None
    try:
        import numba
    except ImportError:  # numba has no wheel yet for the newest interpreters
        return None
    return numba


_NUMBA: Any = _numba()  # Any: numba's decorators change the type of what they decorate

HAS_NUMBA = _NUMBA is not None
"""Whether the fast path is there. SIGHTLINE_NO_NUMBA=1 switches it off, for tests and for machines where it fails."""


def compiled(function: F) -> F:
    """Compile a loop at its first call and keep the machine code beside the byte code; strict float arithmetic."""
    if not HAS_NUMBA:
        return function
    fast: F = _NUMBA.njit(cache=True, nogil=True)(function)
    return fast


def compiled_loose(function: F) -> F:
    """The same, with sums in any order and fused multiply-adds: for filters, where the last bit does not matter."""
    if not HAS_NUMBA:
        return function
    fast: F = _NUMBA.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})(function)
    return fast


def compiled_contracted(function: F) -> F:
    """The same, with fused multiply-adds only: where a sum must not be reordered (rounding by a large constant)."""
    if not HAS_NUMBA:
        return function
    fast: F = _NUMBA.njit(cache=True, nogil=True, fastmath={"contract"})(function)
    return fast
