"""Take out of a text what could tell of a person: paths, names, addresses, quoted words, long numbers."""

from __future__ import annotations

import getpass
import os
import platform
import re
from functools import lru_cache
from pathlib import Path

_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_WEB = re.compile(r"\b[a-z+]+://\S+", re.IGNORECASE)
_DICOM_NAME = re.compile(r"[^\W\d_]+\^[^\s,;]*")
# Blanks may be part of a path, so that its end is only sure at a file's ending; without one the rest of the line goes.
_PATH = re.compile(
    r"(?<![\w/])(?:[A-Za-z]:[\\/]|\\\\|~?/)(?:[^\n\\/]*[\\/])*(?:[^\n]*?(\.[A-Za-z0-9]{1,6})(?=$|[\s\"',;:)\].])|[^\n]*)"
)
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`")
_NUMBER = re.compile(r"\d{6,}")


@lru_cache(maxsize=1)
def _own_names() -> tuple[str, ...]:
    """The names of this user, home folder and machine."""
    names = {Path.home().name, platform.node(), platform.node().split(".")[0]}
    try:
        names.add(getpass.getuser())
    except (KeyError, OSError):  # an account without a name, as in containers
        names.add(os.environ.get("USERNAME", ""))
    return tuple(sorted((name for name in names if len(name) > 2 and name != "root"), key=len, reverse=True))


def scrub(text: str) -> str:
    """The text with everything replaced that may name a person, a patient, a file or a machine."""
    for pattern, stand_in in ((_WEB, "<address>"), (_MAIL, "<mail>"), (_QUOTED, "'...'")):
        text = pattern.sub(stand_in, text)
    text = _PATH.sub(lambda match: f"<path>{match.group(1) or ''}", text)
    text = _DICOM_NAME.sub("<name>", text)
    for name in _own_names():
        text = re.sub(re.escape(name), "<own>", text, flags=re.IGNORECASE)
    return _NUMBER.sub("#", text)
