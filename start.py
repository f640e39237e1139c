#!/usr/bin/env python3
"""Set Sightline up beside this file and start it. Needs nothing but Python 3.10 to 3.13.

    python3 start.py            open the application (where there is no display: run the demo off-screen)
    python3 start.py demo       run the sample study off-screen and write demo/report.html
    python3 start.py test       run the checks and the tests (the slow ones too: start.py test --slow)
    python3 start.py doctor     print what was found on this machine, for a bug report
    python3 start.py setup      only install
    python3 start.py -- ARGS    the `sightline` command line, e.g. `start.py -- import --help`

The first start makes .venv and installs what is missing; later starts take seconds. Nothing outside this folder is
changed, except that on Debian and Ubuntu, as root, the system libraries Qt needs are installed.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOG = VENV / "setup.log"
STAMP = VENV / "sightline-stamp.json"
PYTHONS = ((3, 10), (3, 13))
TEST_EXTRAS = "check,lsl,postgresql,exports,onnx,cluster"

# Shared libraries that Qt loads, with the Debian package that brings each (measured on a bare Debian 12).
QT_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon.so.0": "libxkbcommon0",
}
WINDOW_LIBRARIES = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
}


class SetupError(Exception):
    """Set-up cannot go on; the text says why and what to do."""


def say(text: str) -> None:
    print(text, flush=True)


def check_python() -> None:
    low, high = PYTHONS
    if not low <= sys.version_info[:2] <= high:
        raise SetupError(
            f"Sightline needs Python {low[0]}.{low[1]} to {high[0]}.{high[1]}; this is {platform.python_version()} "
            f"({sys.executable}). Start it with another one, e.g.  python3.11 start.py"
        )


def can_install_packages() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: list[str], why: str) -> None:
    """Install Debian packages as root, or say the one line that does."""
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not can_install_packages():
        raise SetupError(f"{why}\nOn Debian or Ubuntu run this once, then start again:\n    sudo {line}")
    say(f"      {why} Installing {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], "apt-get update", environment)
    run(line.split(), "apt-get install", environment)


def run(command: list[str], what: str, environment: dict[str, str] | None = None) -> None:
    """Run a step of the set-up: one changing line on the screen, everything in the log, the end of it on failure."""
    started = time.monotonic()
    LOG.parent.mkdir(exist_ok=True)
    lines: list[str] = []
    shows_one_line = sys.stdout.isatty()
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        last_shown = started
        for line in process.stdout or ():
            log.write(line)
            lines.append(line)
            news = line.strip()
            if shows_one_line and news:
                print(f"\r      {news[:100]:<100}", end="", flush=True)
            elif news and time.monotonic() - last_shown > 5:
                last_shown = time.monotonic()
                say(f"      {time.monotonic() - started:4.0f} s  {news[:100]}")
        code = process.wait()
    if shows_one_line:
        print(f"\r{'':<106}\r", end="")
    if code != 0:
        raise SetupError(f"{what} failed (exit code {code}). The end of {LOG}:\n\n{''.join(lines[-30:])}")
    say(f"      done in {time.monotonic() - started:.0f} s")


def works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, cwd=ROOT, timeout=1800).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_venv() -> None:
    if works([str(venv_python()), "-c", "import pip"]):
        return
    say("[1/5] Making .venv")
    if not works([sys.executable, "-c", "import venv, ensurepip"]):
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        apt_install([f"{version}-venv"], "This Python has no venv module.")
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(VENV)], "Making .venv")


def has_nvidia_gpu() -> bool:
    if platform.system() == "Darwin":
        return False
    tool = shutil.which("nvidia-smi")
    return bool(tool and works([tool, "-L"])) or Path("/proc/driver/nvidia/version").exists()


def torch_requirement() -> str:
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("torch=="):
            return line.split(";")[0].strip()
    raise SetupError("constraints.txt names no torch version; unpack the source again.")


def install_torch(pip: list[str]) -> None:
    """Install the build of torch that this machine can use; never a CUDA build (several GB) without an NVIDIA GPU.

    The package index's own build is for CUDA on Linux x86-64 and for the CPU elsewhere. Where the other one is wanted,
    a local "+cpu" build that pip knows of is taken, else uv, which knows where PyTorch keeps each build.
    """
    wanted = torch_requirement()
    gpu = has_nvidia_gpu()
    default_is_cuda = platform.system() == "Linux" and platform.machine() in ("x86_64", "AMD64")
    flavour = "CUDA" if gpu else "CPU"
    say(f"[2/5] Installing torch for {flavour} ({'an NVIDIA GPU was found' if gpu else 'no NVIDIA GPU was found'})")
    if gpu == default_is_cuda or platform.system() == "Darwin":
        run([*pip, wanted], "Installing torch")
        return
    if not gpu:
        try:
            run([*pip, f"{wanted}+cpu"], "Installing the CPU build of torch")
            return
        except SetupError:
            say("      pip knows of no CPU build; asking uv, which does")
    run([*pip, "uv"], "Installing uv")
    uv = [str(venv_python()), "-m", "uv", "pip", "install", "--python", str(venv_python())]
    try:
        run([*uv, "--torch-backend", "auto" if gpu else "cpu", wanted, "torchvision"], "Installing torch with uv")
    except SetupError as failure:
        raise SetupError(
            f"No {flavour} build of torch could be fetched.\n{failure}\n\n"
            "Install one into .venv by hand (PyTorch's page 'Get started' prints the line), then start again."
        ) from None


def wanted_stamp(extras: str) -> dict[str, str]:
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt", "start.py")]
    return {
        "files": hashlib.sha256(b"\0".join(parts)).hexdigest(),
        "folder": str(ROOT),
        "extras": extras,
    }


def set_up(extras: str) -> None:
    """Make .venv hold what this source needs; does nothing when it already does."""
    try:
        found = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    wanted = wanted_stamp(extras)
    has_extras = extras == "" or found.get("extras") == extras
    if has_extras and {**found, "extras": extras} == wanted and works([str(venv_python()), "-c", "import typer"]):
        return
    say(f"Setting Sightline up in {VENV} (first start: a few minutes)")
    make_venv()
    pip = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check", "-c", "constraints.txt"]
    if not works([str(venv_python()), "-c", "import torch"]):
        install_torch(pip)
    say("[3/5] Installing Sightline and its libraries")
    target = f".[{extras}]" if extras else "."
    run([*pip, "--config-settings", "editable_mode=compat", "-e", target], "Installing Sightline")
    finish(extras or found.get("extras", ""))


def finish(extras: str) -> None:
    """The last steps, also after an installation from a wheelhouse: see that it works, compile, remember it."""
    say("[4/5] Checking the installation")
    check = "import torch, PySide6, h5py, cv2, sqlalchemy, pydicom; print('torch', torch.__version__)"
    run([str(venv_python()), "-c", check], "Importing the libraries")
    say("[5/5] Compiling what makes masks of gaze, so that the first mask need not wait")
    run([str(venv_python()), "-m", "workflows.warm_up"], "Compiling")
    STAMP.write_text(json.dumps({**wanted_stamp(extras), "extras": extras}), encoding="utf-8")


def loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def check_qt_libraries(*, for_window: bool) -> None:
    """See that Qt's system libraries are there (Linux); install or name those that are not."""
    if platform.system() != "Linux":
        return
    needed = {**QT_LIBRARIES, **(WINDOW_LIBRARIES if for_window else {})}
    missing = [package for library, package in needed.items() if not loads(library)]
    if missing:
        apt_install(missing, "Qt needs system libraries that are not there.")


def has_display() -> bool:
    if platform.system() != "Linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def launch(module: str, *arguments: str) -> int:
    """Run a module of the project in .venv and hand its exit code on."""
    try:
        return subprocess.run([str(venv_python()), "-m", module, *arguments], cwd=ROOT).returncode
    except KeyboardInterrupt:
        return 130


def run_tests(arguments: list[str]) -> int:
    """Format, lint, floors, types, then the tests; stops at the first that fails. pytest's summary comes last."""
    tools = venv_python().parent
    checks = {
        "Format": ["ruff", "format", "--check", "--quiet", "."],
        "Lint": ["ruff", "check", "--quiet", "."],
        "Floors": ["lint-imports"],
        "Types": ["mypy"],
    }
    for name, (tool, *rest) in checks.items():
        result = subprocess.run([str(tools / tool), *rest], cwd=ROOT, text=True, capture_output=True)
        if result.returncode != 0:
            say(f"{result.stdout}{result.stderr}\n{name}: failed")
            return result.returncode
        say(f"{name}: passed")
    # The tests run in two processes; more threads in each only get in one another's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chosen = [argument for argument in arguments if argument != "--slow"]
    if chosen == arguments:
        chosen += ["-m", "not slow and not hardware"]
    return launch("pytest", "-q", "-n", str(min(2, os.cpu_count() or 1)), *chosen)


def main(arguments: list[str]) -> int:
    command, rest = (arguments[0], arguments[1:]) if arguments else ("app", [])
    if command in ("-h", "--help", "help"):
        say(__doc__ or "")
        return 0
    if command not in ("app", "demo", "test", "doctor", "setup", "--"):
        say(f"start.py does not know {command!r}.\n{__doc__}")
        return 2
    check_python()
    is_window = has_display() and command in ("app", "test")
    set_up(TEST_EXTRAS if command == "test" else "")
    if command == "setup":
        return 0
    if command == "test":
        check_qt_libraries(for_window=can_install_packages() or is_window)
        if can_install_packages() and shutil.which("Xvfb") is None:
            apt_install(["xvfb", "xauth"], "Tests in a real window need a virtual screen.")
        return run_tests(rest)
    if command != "doctor":
        check_qt_libraries(for_window=is_window)
    if command == "app" and not has_display():
        say("There is no display here, so the sample study runs off-screen (as `start.py demo` does).")
        command = "demo"
    return launch("app", *rest) if command == "--" else launch("app", *([] if command == "app" else [command]), *rest)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as failure:
        say(f"\n{failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("\nStopped. Start again to go on.")
        sys.exit(130)
