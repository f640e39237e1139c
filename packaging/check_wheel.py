"""See that a wheel holds all packages and resources and nothing else: `python packaging/check_wheel.py WHEEL`."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = ("app", "workflows", "acquisition", "calibration", "processing", "training", "storage", "domain", "resources")


def problems_of(wheel: Path) -> list[str]:
    """What is missing from the wheel or should not be in it."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        text = {
            name: archive.read(name).decode()
            for name in names
            if name.endswith((".dist-info/METADATA", "entry_points.txt"))
        }
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in OURS
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and (path.suffix == ".py" or package == "resources")
    }
    found = [f"{name} is missing" for name in sorted(wanted - names)]
    known = (*(f"{package}/" for package in OURS), "sightline-")
    found += [f"{name} should not be in it" for name in sorted(names) if not name.startswith(known)]
    if not any("sightline = app.launch:main" in content for content in text.values()):
        found.append("the command `sightline` is missing")
    version = (ROOT / "domain" / "version.py").read_text(encoding="utf-8").split('VERSION = "')[1].split('"')[0]
    if not any(f"\nVersion: {version}\n" in content for content in text.values()):
        found.append(f"its version is not {version}")
    return found


if __name__ == "__main__":
    bad = problems_of(Path(sys.argv[1]))
    print("\n".join(bad) or f"{sys.argv[1]}: whole")
    sys.exit(1 if bad else 0)
