"""What this machine has, for a bug report: versions, Qt, screens, GPU, trackers, disk. Nothing personal."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from domain.version import VERSION
from workflows.data_folder import data_folder

State = Literal["good", "warning", "missing"]

LIBRARIES = (
    "numpy", "scipy", "opencv-python-headless", "h5py", "SQLAlchemy", "pydicom", "nibabel", "PySide6-Essentials",
    "pyqtgraph", "numba", "torch", "torchvision", "segmentation-models-pytorch", "tobii-research", "TittaPy", "pylsl",
)  # fmt: skip
LOW_DISK_BYTES = 5e9
PROBE_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    topic: str
    state: State
    text: str
    hint: str = ""


def examine() -> list[Finding]:
    """Look at everything; a part that cannot be looked at is a finding, never an exception."""
    return [
        Finding("Sightline", "good", VERSION),
        _python(),
        _system(),
        *_qt(),
        _gpu(),
        _cpu_kernels(),
        *_trackers(),
        _disk(),
        _versions(),
    ]


def _python() -> Finding:
    return Finding("Python", "good", f"{platform.python_version()} ({platform.python_implementation()})")


def _system() -> Finding:
    name = platform.platform(terse=True)
    return Finding("System", "good", f"{name}, {platform.machine()}, {os.cpu_count()} processors")


def _versions() -> Finding:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} -")
    return Finding("Libraries", "good", ", ".join(found))


def _probe(module: str) -> dict[str, object] | str:
    """What a probe module printed as JSON, run in a process of its own so that its crash is only a finding."""
    try:
        result = subprocess.run(
            [sys.executable, "-m", module], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if result.returncode != 0:
        return (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
    answer = json.loads(result.stdout.strip().splitlines()[-1])
    return answer if isinstance(answer, dict) else str(answer)


def _qt() -> list[Finding]:
    answer = _probe("app.screen_probe")
    if isinstance(answer, str):
        return [Finding("Qt", "missing", answer, "`python3 start.py` installs or names the libraries Qt needs.")]
    screens = answer["screens"]
    findings = [Finding("Qt", "good", f"{answer['qt']} on the platform {answer['platform']!r}")]
    if isinstance(screens, list):
        findings += [Finding("Screen", "good", str(screen)) for screen in screens]
    if answer["platform"] == "offscreen":
        findings.append(Finding("Display", "warning", "none; windows are drawn off-screen"))
    return findings


def _gpu() -> Finding:
    answer = _probe("training.device_probe")
    if isinstance(answer, str):
        return Finding("GPU", "missing", f"torch cannot be used: {answer}", "`python3 start.py setup` installs it.")
    if answer.get("gpu"):
        return Finding("GPU", "good", str(answer["gpu"]))
    if shutil.which("nvidia-smi"):
        hint = "Delete .venv and start again: start.py then takes the CUDA build."
        return Finding("GPU", "warning", f"an NVIDIA GPU is there, but {answer['torch']} cannot use it", hint)
    return Finding("GPU", "warning", f"none; training runs on the CPU ({answer['torch']})")


def _cpu_kernels() -> Finding:
    if importlib.util.find_spec("numba"):
        return Finding("Dense CRF", "good", "numba is installed: the fast kernels are used")
    return Finding("Dense CRF", "warning", "numba is not installed: the NumPy fallback is used (slower, same numbers)")


def _trackers() -> list[Finding]:
    sdk: dict[str, Callable[[], bool]] = {
        "tobii-research": lambda: importlib.util.find_spec("tobii_research") is not None,
        "TittaPy": lambda: importlib.util.find_spec("TittaPy_v2") is not None,
        "LSL (pylsl)": lambda: importlib.util.find_spec("pylsl") is not None,
    }
    there = [name for name, is_there in sdk.items() if is_there()]
    text = f"simulated, mouse and replay always; SDKs installed: {', '.join(there) or 'none'}"
    return [Finding("Trackers", "good", text)]


def _disk() -> Finding:
    free = shutil.disk_usage(data_folder()).free
    state: State = "good" if free > LOW_DISK_BYTES else "warning"
    return Finding("Disk", state, f"{free / 1e9:.0f} GB free for studies", "" if state == "good" else "Free some room.")
