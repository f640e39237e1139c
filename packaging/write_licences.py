"""Write docs/licences.md from the installed packages: `python packaging/write_licences.py`.

The packages are those that pyproject.toml names, with everything they need in turn, as far as they are installed here.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = None

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"

_HEAD = """# Licences

Sightline is MIT. It links to the packages below; none of them is copied into the source. GPL and AGPL packages are not
used, not even as optional ones; a test refuses them. Where a package may be had under one of several licences,
Sightline uses it under the one that is not GPL (Qt for Python: LGPL-3.0).

Made by `python packaging/write_licences.py` from the metadata of the installed packages.

| package | licence | needed for |
|---|---|---|
"""

# Said in the package's own files or on its project page, where its metadata does not say it.
KNOWN = {
    "tobii-research": "proprietary (Tobii Pro SDK licence); installed by pip, not shipped",
    "tittapy": "MIT for TittaPy; bundles Tobii's SDK under the Tobii Pro SDK licence; installed by pip, not shipped",
}
# The words that make a licence unusable here. LGPL is usable; its name holds GPL, so it is taken out first.
_LGPL = re.compile(r"L-?GPL|LESSER GENERAL PUBLIC", re.IGNORECASE)
_REFUSED = re.compile(r"\bA?GPL|AFFERO|GENERAL PUBLIC LICENSE", re.IGNORECASE)
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def canonical(name: str) -> str:
    """The name by which packages are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, str]:
    """The packages that pyproject.toml names, each with what it is for; a marker for other Pythons does not count."""
    if tomllib is None:
        raise RuntimeError("this needs Python 3.11 or newer, to read pyproject.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {}
    for extra, lines in {"": project["dependencies"], **project["optional-dependencies"]}.items():
        for line in lines:
            match = _NAME.match(line)
            if match and extra != "check":
                found.setdefault(canonical(match.group()), extra or "running")
    return found


def closure(names: dict[str, str]) -> dict[str, str]:
    """The packages and all that they need, as far as installed; extras of theirs are left out."""
    found: dict[str, str] = {}
    waiting = list(names.items())
    while waiting:
        name, purpose = waiting.pop(0)
        if name in found:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            if name in names:
                found[name] = purpose
            continue
        found[name] = purpose
        for line in requires:
            if "extra ==" in line or "extra==" in line:
                continue
            match = _NAME.match(line)
            if match:
                waiting.append((canonical(match.group()), purpose))
    return dict(sorted(found.items()))


def licence(name: str) -> str:
    """What the package's metadata says of its licence, in few words; "" where nothing is known."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return KNOWN.get(name, "")
    expression = metadata.get("License-Expression") or ""
    classifiers = [
        text.split("::")[-1].strip()
        for text in metadata.get_all("Classifier") or []
        if text.startswith("License ::") and not text.endswith("OSI Approved")
    ]
    first_line = (metadata.get("License") or "").strip().splitlines()[:1]
    text = expression or ", ".join(classifiers) or (first_line[0] if first_line else "")
    return KNOWN.get(name, "") or text[:90]


def is_refused(text: str) -> bool:
    """Whether a licence is GPL or AGPL with no other choice."""
    choices = re.split(r"\bOR\b", text)
    return all(bool(_REFUSED.search(_LGPL.sub("", choice))) for choice in choices)


def page() -> str:
    """The whole page."""
    rows = [
        f"| {name} | {licence(name) or 'not stated in its metadata'} | {purpose} |"
        for name, purpose in closure(declared()).items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
