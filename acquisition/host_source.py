"""What the tracker host needs of our source, laid out for an interpreter that is not the application's."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("acquisition/**/*.py", "domain/*.py", "storage/__init__.py", "storage/journal.py")


def is_own_interpreter(python: str) -> bool:
    """Whether this is the interpreter that runs the application."""
    return Path(python) == Path(sys.executable)


def staged_source() -> Path:
    """A new private folder with the few files the host needs; whoever asked for it removes it.

    Our own folder may be a site-packages full of packages built for the application's interpreter, which another one
    must not see.
    """
    staging = Path(tempfile.mkdtemp(prefix="sightline-host-"))
    for path in sorted(path for part in PARTS for path in ROOT.glob(part)):
        target = staging / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return staging
