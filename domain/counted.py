"""A number with its noun."""

from __future__ import annotations


def counted(n: int, one: str, many: str) -> str:
    """The number and the words that fit it, as in "1 mask is" and "2 masks are"."""
    return f"{n} {one if n == 1 else many}"
