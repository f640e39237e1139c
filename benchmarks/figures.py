"""A table of figures with their targets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure; `passed` None where there is no target or nothing could be measured."""

    name: str
    value: str
    target: str
    passed: bool | None


def show(title: str, figures: list[Figure]) -> int:
    """Print the table; the exit code is 1 where a target was missed."""
    width = max(len(figure.name) for figure in figures)
    print(f"\n{title}")
    for figure in figures:
        verdict = {True: "PASS", False: "MISS", None: "    "}[figure.passed]
        print(f"  {figure.name:<{width}}  {figure.value:<28}  {figure.target:<22}  {verdict}")
    return int(any(figure.passed is False for figure in figures))
