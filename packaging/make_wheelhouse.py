"""Collect all packages for a machine without a network, and install from them there.

    python packaging/make_wheelhouse.py wheelhouse              on a machine with a network
    python packaging/make_wheelhouse.py --install wheelhouse    on the one without, in the source folder

Both machines need the same system, processor and Python version. pip fetches from wherever it is set up to. A machine
with a GPU needs the CUDA build of torch: `--torch cuda`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"


def collect(folder: Path, *, extras: str, torch: str) -> None:
    """Download every package, and build a wheel of Sightline itself."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip"]
    pinned = next(line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
    wanted = pinned.split(";")[0].strip() + ("+cpu" if torch == "cpu" else "")
    find = ["--find-links", str(folder)]
    # torch first: what is there already is then taken for the rest, and no second build is fetched.
    subprocess.run([*pip, "download", "-d", str(folder), "-c", str(CONSTRAINTS), wanted], check=True)
    target = f"{ROOT}[{extras}]" if extras else str(ROOT)
    subprocess.run([*pip, "download", "-d", str(folder), *find, "-c", str(CONSTRAINTS), wanted, target], check=True)
    subprocess.run([*pip, "download", "-d", str(folder), "pip", "setuptools>=77", "wheel"], check=True)
    for sdist in folder.glob("sightline-*.tar.gz"):
        sdist.unlink()
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)], check=True)


def install(folder: Path, *, extras: str) -> None:
    """Make .venv from the folder alone."""
    place = ROOT / ".venv"
    venv.create(place, with_pip=True)
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    offline = [str(python), "-m", "pip", "install", "--no-index", "--find-links", str(folder)]
    subprocess.run([*offline, "setuptools>=77", "wheel"], check=True)
    target = f"{ROOT}[{extras}]" if extras else str(ROOT)
    flags = ["--no-build-isolation", "--config-settings", "editable_mode=compat", "-c", str(CONSTRAINTS)]
    subprocess.run([*offline, *flags, "-e", target], check=True)
    sys.path.insert(0, str(ROOT))
    import start  # the file beside README, which then finds everything ready

    start.finish(extras)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--install", action="store_true", help="install from the folder instead of filling it")
    parser.add_argument("--extras", default="exports", help="extras of pyproject.toml, separated by commas")
    parser.add_argument("--torch", choices=("cpu", "cuda"), default="cpu", help="which build of torch to fetch")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    if chosen.install:
        install(folder, extras=chosen.extras)
    else:
        collect(folder, extras=chosen.extras, torch=chosen.torch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
