"""`sightline demo` from first gaze sample to predicted masks, small, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from storage.session_file import read_session
from storage.study import Study
from tests.real_data import real_data

ROOT = Path(__file__).resolve().parents[2]


def run_demo(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "SIGHTLINE_HOME": str(folder.parent / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "app", "demo", "--into", str(folder), "--steps", "3", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    return folder, run_demo(folder, "--images", "8")


def test_that_the_demo_records_labels_exports_trains_and_predicts(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    with Study.open(folder / "study") as study:
        trials = study.trials(newest_only=True)
        assert len(trials) == len(study.images()) == 9
        assert all(trial.is_simulated and trial.session_file for trial in trials)
        session = read_session(study.absolute(trials[0].session_file))
        assert session.header.is_simulated
        assert len(session.samples) == session.quality["n_samples"] > 0
        assert all(study.maps(trial.trial_id) is not None for trial in trials)
        assert all(study.mask(trial.image_id, "model", trial.target) is not None for trial in trials)
        assert list((study.folder / "runs").glob("*/model.safetensors"))
    assert (folder / "export" / "train.txt").read_text().split()


def test_that_the_report_shows_screens_figures_and_that_gaze_is_simulated(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Simulated gaze" in page
    assert "simulated" in printed.lower()
    assert page.count("data:image/jpeg;base64,") >= 8
    assert "http://" not in page
    assert "https://" not in page
    figures = dict(re.findall(r"^\s+(heatmap >= 0\.5|refined map >= 0\.5)\s+Dice (\d\.\d+)", printed, re.MULTILINE))
    assert float(figures["heatmap >= 0.5"]) > 0.6
    assert float(figures["refined map >= 0.5"]) > 0.6


def test_that_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    command = [sys.executable, "-m", "app", "demo", "--into", str(mine)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "did not make" in result.stderr
    assert (mine / "thesis.txt").read_text() == "years of work"


@pytest.mark.slow
def test_that_the_same_way_goes_over_real_images(tmp_path: Path) -> None:
    printed = run_demo(tmp_path / "demo", "--kvasir-seg", str(real_data("kvasir-seg")), "--images", "8")
    figures = re.findall(r"Dice (\d\.\d+)", printed)
    assert len(figures) >= 4
    assert float(figures[0]) > 0.4
