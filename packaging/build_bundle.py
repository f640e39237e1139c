"""Build the one-folder program with PyInstaller and try it without a screen: `python packaging/build_bundle.py`.

Run it on each system that is to be served, in an environment that has Sightline's requirements and pyinstaller. The
result is dist/sightline/, with everything in it; it is tried three ways before it counts as built: it says its version,
every extension point lists its entries, and the tracker host runs as a child process (a simulated recording).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(out: Path) -> Path:
    """Build the folder; the path of the program in it."""
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(out), "--workpath", str(out / "work"), str(ROOT / "packaging" / "sightline.spec")]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    return out / "sightline" / ("sightline.exe" if os.name == "nt" else "sightline")


def try_out(program: Path) -> list[str]:
    """What does not work; nothing where all does."""
    problems = []
    with tempfile.TemporaryDirectory(prefix="sightline-bundle-") as home:
        environment = {**os.environ, "SIGHTLINE_HOME": home, "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)

        def run(*arguments: str, **more: str) -> str:
            done = subprocess.run(
                [str(program), *arguments],
                env={**environment, **more},
                cwd=home,
                capture_output=True,
                text=True,
                timeout=900,
            )
            if done.returncode != 0:
                problems.append(
                    f"{' '.join(arguments) or 'smoke'}: code {done.returncode}: {done.stderr.strip()[-800:]}"
                )
            return done.stdout

        if "Sightline" not in run("--version"):
            problems.append("it does not say its version")
        listed = run(SIGHTLINE_SMOKE="1")
        for word in ("simulated", "ivt", "crf", "gazemedseg", "basic_unet", "annotate", "raster"):
            if word not in listed:
                problems.append(f"{word} is missing from the extension points:\n{listed}")
        doctor = run("doctor", "--json")
        if '"Qt"' not in doctor:
            problems.append("doctor found no Qt")
        run("demo", "--images", "8", "--steps", "2", "--into", str(Path(home) / "demo"))
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--only-try", action="store_true", help="try a bundle that is there")
    chosen = parser.parse_args()
    started = time.monotonic()
    name = "sightline.exe" if os.name == "nt" else "sightline"
    program = chosen.out.resolve() / "sightline" / name if chosen.only_try else build(chosen.out.resolve())
    built_s = time.monotonic() - started
    problems = try_out(program)
    size = sum(path.stat().st_size for path in program.parent.rglob("*") if path.is_file())
    print(f"{program.parent}: {size / 1e9:.2f} GB, built in {built_s:.0f} s")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
