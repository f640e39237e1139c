"""Values in the catalog that nobody wrote: told in words, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import BadFileError


@contextmanager
def damage_in_words(what: str) -> Iterator[None]:
    """While a row becomes a noun of ours.

    Raises:
        BadFileError: instead of what a value that cannot be read raises.
    """
    try:
        yield
    except (ValueError, TypeError, AttributeError, KeyError) as problem:
        raise BadFileError(
            f"{what} is damaged in the catalog: {problem}.", "Put back catalog.sqlite from a backup."
        ) from problem
