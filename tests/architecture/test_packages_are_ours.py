"""Generic names such as `processing` must come from this project and from nowhere else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "name",
    ["app", "workflows", "acquisition", "calibration", "processing", "training", "storage", "domain", "resources"],
)
def test_that_a_top_level_package_lies_in_this_project(name: str):
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().is_relative_to(ROOT)


def test_that_no_production_file_is_longer_than_500_lines():
    long = {
        str(path.relative_to(ROOT)): count
        for package in ("app", "workflows", "acquisition", "calibration", "processing", "training", "storage", "domain")
        for path in (ROOT / package).rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}


def test_that_no_file_names_the_folder_of_this_checkout():
    own = f"{ROOT.as_posix()}/"
    offenders = [
        str(path.relative_to(ROOT))
        for pattern in ("*.py", "*.md", "*.toml", "*.txt", "*.yml", "*/**/*.py", "*/**/*.md")
        for path in ROOT.glob(pattern)
        if not path.relative_to(ROOT).parts[0].startswith((".", "demo", "build", "dist", "site"))
        and own in path.read_text(encoding="utf-8")
    ]
    assert offenders == []
