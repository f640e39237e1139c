"""A small table of measured figures beside their targets."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from datetime import datetime, timezone


@dataclass
class FigureTable:
    """Figures in the order they were measured; prints PASS, MISS, or nothing where there is no target."""

    title: str
    rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def add(
        self, figure: str, value: float | int | str, *, target: str = "", is_reached: bool | None = None, note: str = ""
    ) -> None:
        """Add one figure."""
        text = value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)
        verdict = "" if is_reached is None else "PASS" if is_reached else "MISS"
        self.rows.append((figure, text, target, verdict, note))

    def show(self) -> None:
        """Print the table."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        print(f"\n{self.title}\n{now}, Python {platform.python_version()}, {platform.machine()}")
        widths = [max([len(row[k]) for row in self.rows] + [6]) for k in range(4)]
        for row in [("figure", "value", "target", "", "note"), *self.rows]:
            print("  ".join(row[k].ljust(widths[k]) for k in range(4)) + "  " + row[4])
