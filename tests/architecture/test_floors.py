"""The floors hold, and the contract notices when they do not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "app",
    "workflows",
    "acquisition",
    "calibration",
    "processing",
    "training",
    "storage",
    "domain",
    "resources",
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def copy_of_the_house(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_that_the_floors_hold():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        pytest.param("domain/planted.py", "import storage", id="upwards"),
        pytest.param("processing/planted.py", "import training", id="between rooms of one floor"),
        pytest.param("workflows/planted.py", "import PySide6.QtCore", id="Qt outside app"),
        pytest.param("app/planted.py", "import torch", id="torch outside training"),
        pytest.param("processing/planted.py", "import h5py", id="h5py outside storage"),
        pytest.param("domain/planted.py", "import scipy", id="a library in domain"),
    ],
)
def test_that_a_planted_violation_is_caught(copy_of_the_house: Path, file: str, line: str):
    (copy_of_the_house / file).write_text(f"{line}\n")
    result = lint(copy_of_the_house)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout
