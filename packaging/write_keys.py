"""Write docs/keys.md from the table of actions: `python packaging/write_keys.py`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "keys.md"

_HEAD = """# Keys

Made from the table of actions by `python packaging/write_keys.py`; a test sees that it is up to date. `F1` shows the
keys of the screen you are on. Keys can be changed in *Settings*; two actions of one screen cannot share a key.

"""


def page() -> str:
    """The whole page."""
    from app.action_table import ACTIONS

    parts: dict[str, list[str]] = {}
    for action in ACTIONS:
        keys = " or ".join(f"`{key}`" for key in action.keys) or "none"
        held = " (hold)" if action.is_held else ""
        parts.setdefault(action.action_id.split(".")[0], []).append(f"| {action.text} | {keys}{held} |")
    tables = [
        f"## {part.capitalize()}\n\n| action | keys |\n|---|---|\n" + "\n".join(rows) for part, rows in parts.items()
    ]
    return _HEAD + "\n\n".join(tables) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
