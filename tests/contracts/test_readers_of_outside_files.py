"""Each reader of a file from outside gives a result or an error in words, whatever was done to the file.

A short run of `benchmarks/fuzz.py` over all readers; the long one is run by hand and in the nightly check.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz import run_case
from benchmarks.fuzz_targets import FuzzTarget, damaged, survives, targets

N_CASES = 25
TARGETS = targets()


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, bytes]]:
    found = {}
    for number, target in enumerate(TARGETS):
        path = target.prepare(tmp_path_factory.mktemp(f"reader-{number}"))
        found[target.name] = (path, path.read_bytes())
    return found


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_that_the_good_file_is_read(target: FuzzTarget, good_files: dict[str, tuple[Path, bytes]]):
    target.read(good_files[target.name][0])


# HDF5 and SQLite damage could end the test process itself; benchmarks/fuzz.py gives each a process of its own, and so
# many cases of every reader were run there that the few here only keep a mended defect mended.
@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
@settings(
    max_examples=N_CASES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(number=st.integers(0, 100_000))
def test_that_a_damaged_file_is_answered_in_words(
    target: FuzzTarget, good_files: dict[str, tuple[Path, bytes]], number: int
):
    path, good = good_files[target.name]
    assert run_case(target, path, good, number) == ""


# What an hour of random damage found on 2026-11-23, so that it stays mended.
FOUND = {
    "image DICOM": 5341,
    "calibration": 5538,
    "snapshot": 9126,
    "training run": 8002,
    "archive": 5321,
    "published checkpoint": 2399,
    "import tobii-tsv, studio-3.4-120hz.tsv": 675,
}


@pytest.mark.parametrize("target", [t for t in TARGETS if t.name in FOUND], ids=lambda target: target.name)
def test_that_what_was_found_stays_mended(target: FuzzTarget, good_files: dict[str, tuple[Path, bytes]]):
    path, good = good_files[target.name]
    assert run_case(target, path, good, FOUND[target.name]) == ""


@settings(max_examples=40, deadline=None, derandomize=True)
@given(content=st.binary(max_size=400))
def test_that_any_bytes_are_answered_in_words(good_files: dict[str, tuple[Path, bytes]], content: bytes):
    for target in TARGETS:
        if target.name not in ("map", "mask", "journal", "model", "fixation table", "image grey .png"):
            continue
        path, good = good_files[target.name]
        path.write_bytes(content)
        assert survives(target, path) == "", target.name
        path.write_bytes(good)


def test_that_the_fuzzer_would_notice_an_error_that_is_not_in_words(tmp_path: Path):
    def read(_path: Path) -> object:
        raise KeyError("oops")

    assert "KeyError" in survives(FuzzTarget("planted", lambda folder: folder, read), tmp_path)


def test_that_damage_depends_on_the_number_only():
    from random import Random

    content = bytes(range(256)) * 8
    first, second = (damaged(content, Random("x|7"), is_text=False) for _ in range(2))
    assert first == second
    assert first != content
