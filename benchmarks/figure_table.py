"""Arguments that all acquisition benchmarks share, and the end of each: the table, the load, the exit code."""

from __future__ import annotations

import argparse
import os
import platform
import sys

from benchmarks import figures
from benchmarks.figures import Figure

__all__ = ["Figure", "arguments", "show"]


def arguments(description: str, **defaults: float) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a short smoke run")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=float, default=default)
    return parser


def show(title: str, found: list[Figure]) -> None:
    """Print the table and leave, with exit code 1 where a target was missed."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load}"
    sys.exit(figures.show(f"{title}  ({where})", found))
