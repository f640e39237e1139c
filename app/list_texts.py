"""Run as a module: print every text that goes through `tr`, as the JSON that a new language starts from."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path


def texts_of(folder: Path) -> list[str]:
    """The literal texts given to `tr` in all files of a folder, and those of the action table and the screens."""
    found: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("tr", "Action"):
                place = 0 if node.func.id == "tr" else 1
                if len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    found.add(str(node.args[place].value))  # type: ignore[attr-defined]  # a Constant, see above
    return sorted(found)


def main() -> None:
    """Print them."""
    pairs = dict.fromkeys(texts_of(Path(__file__).parent), "")
    sys.stdout.write(json.dumps(pairs, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
