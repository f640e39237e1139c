"""Benchmarks whose data are not at hand say so, and what makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CASES = {
    "published_loaders, no checkout": (["published_loaders", "--reference", "NOWHERE"], "NOT MEASURED"),
    "propagation, no checkout": (["propagation", "--reference", "NOWHERE"], "no checkout of med-air/GazeMedSeg"),
    "train_parity, no checkout": (["train_parity", "--reference", "NOWHERE"], "no checkout of med-air/GazeMedSeg"),
    "train_step, no checkout": (["train_step", "--reference", "NOWHERE"], "no checkout of med-air/GazeMedSeg"),
    "export_kvasir, no data": (["export_kvasir"], "SIGHTLINE_DATA"),
    "prepare_carry, no data": (["prepare_carry"], "SIGHTLINE_DATA"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("command", "words"), CASES.values(), ids=CASES.keys())
def test_that_a_benchmark_without_its_data_says_what_it_needs(tmp_path: Path, command: list[str], words: str) -> None:
    nowhere = str(tmp_path / "nowhere")
    asked = [nowhere if word == "NOWHERE" else word for word in command]
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{asked[0]}", "--quick", *asked[1:]]
        if asked[0] != "prepare_carry"
        else [sys.executable, "-m", "benchmarks.prepare_carry", "--out", nowhere],
        cwd=ROOT,
        env={**os.environ, "SIGHTLINE_DATA": nowhere},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_that_absent_damaged_and_incomplete_carried_images_are_told_with_the_command_that_makes_them(
    tmp_path: Path,
) -> None:
    from benchmarks.carried import read_frames

    for content in (None, "{", '{"a": "train"}'):
        if content is not None:
            (tmp_path / "split.json").write_text(content)
        with pytest.raises(SystemExit, match=r"python -m benchmarks\.prepare_carry"):
            read_frames(tmp_path)
