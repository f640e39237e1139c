"""Write docs/command-line.md from the commands themselves: `python packaging/write_command_line.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "command-line.md"

_HEAD = """# Command line

Made from the commands themselves by `python packaging/write_command_line.py`; a test sees that it is up to date.

`sightline` opens the application. `sightline COMMAND` does one thing and leaves. From the source folder,
`python3 start.py -- COMMAND` reaches the same commands. Exit codes: 0 done, 1 unexpected, 2 wrong input (the message
says what to do), 130 stopped.

"""


def page() -> str:
    """The whole page."""
    from typer.main import get_command

    from app.launch import build

    return _HEAD + "\n".join(_of_group(get_command(build()), "sightline"))


def _of_group(group: Any, path: str) -> Iterator[str]:  # Any: typer brings its own click, whose types differ
    for name in sorted(group.commands):
        command = group.commands[name]
        if getattr(command, "commands", None):
            yield f"## {path} {name}\n\n{_text(command)}\n"
            for line in _of_group(command, f"{path} {name}"):
                yield line.replace("## ", "### ", 1)
        else:
            yield from _of_command(command, f"{path} {name}")


def _of_command(command: Any, path: str) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    words = " ".join(_shown(p) if p.required else f"[{_shown(p)}]" for p in arguments)
    yield (
        f"## {path}\n\n{_text(command)}\n\n```\n{path} {words}".rstrip() + (" [OPTIONS]" if options else "") + "\n```\n"
    )
    rows = [(f"`{_shown(p)}`", p) for p in arguments]
    for option in options:
        names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
        rows.append((names, option))
    if rows:
        yield "| | |\n|---|---|"
        for names, parameter in rows:
            yield f"| {names} | {_cell(parameter)} |"
        yield ""


def _shown(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper().rstrip("_"))


def _cell(parameter: Any) -> str:
    text = str(getattr(parameter, "help", "") or "").replace("|", "\\|").strip()
    default = parameter.default
    is_plain = isinstance(default, (int, float, str)) and not isinstance(default, bool) and default not in ("", 0)
    repeat = " May be repeated." if parameter.multiple and "repeat" not in text else ""
    return f"{text}{repeat} Default: {default}." if is_plain else f"{text}{repeat}"


def _text(command: Any) -> str:
    return " ".join(str(command.help or "").split())


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
