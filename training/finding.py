"""One thing that speaks against training on some data, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from domain.errors import UserFacingError


@dataclass(frozen=True)
class Finding:
    """One thing the check found. `items` are the images concerned; a fatal finding refuses the training."""

    kind: str
    message: str
    hint: str
    items: tuple[str, ...] = ()
    is_fatal: bool = True


def refuse_if_fatal(findings: Iterable[Finding]) -> None:
    """Raise the first finding that forbids training.

    Raises:
        UserFacingError: there is one.
    """
    for finding in findings:
        if finding.is_fatal:
            raise UserFacingError(finding.message, finding.hint)
