"""The application as a person has it: a process of its own in a real window, told with keys only (xdotool, Xvfb)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.study import TrialStatus
from storage.session_file import read_session
from storage.study import Study
from tests.end_to_end.virtual_screen import virtual_screen
from workflows.sample_study import open_sample_study

ROOT = Path(__file__).resolve().parents[2]
N_IMAGES = 3
PATIENCE_S = 120.0

pytestmark = [
    pytest.mark.window,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or not all(map(shutil.which, ("Xvfb", "xdotool"))),
        reason="needs Linux with Xvfb and xdotool (Debian: apt-get install xvfb xdotool)",
    ),
]


def wait_until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.fixture
def screen() -> Iterator[str]:
    """A virtual screen of its own."""
    with virtual_screen() as display:
        yield display


def test_that_images_are_annotated_with_keys_only_and_everything_is_on_disk(screen: str, tmp_path: Path):
    place = tmp_path / "study"
    open_sample_study(place, n_frames=N_IMAGES + 1).close()
    environment = {
        **os.environ,
        "DISPLAY": screen,
        "QT_QPA_PLATFORM": "xcb",
        "SIGHTLINE_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("WAYLAND_DISPLAY", None)
    log = (tmp_path / "app.log").open("wb")
    app = subprocess.Popen(
        [sys.executable, "-m", "app", "open", str(place)], cwd=ROOT, env=environment, stdout=log, stderr=log
    )

    def told() -> str:
        return (tmp_path / "app.log").read_text(errors="replace")[-2000:]

    def xdotool(*arguments: str) -> str:
        return subprocess.run(["xdotool", *arguments], env=environment, capture_output=True, text=True).stdout.strip()

    def titles() -> str:
        found = xdotool("search", "--onlyvisible", "--name", ".").split()
        return " | ".join(xdotool("getwindowname", number) for number in found)

    def n_accepted() -> int:
        with Study.open(place) as study:
            return sum(trial.status is TrialStatus.DONE for trial in study.trials(newest_only=True))

    try:
        wait_until(lambda: "Sightline" in titles(), f"no window appeared: {told()}")
        window = xdotool("search", "--onlyvisible", "--name", "Sightline").split()[0]
        xdotool("windowfocus", window)
        time.sleep(3.0)  # the study opens beside the window
        xdotool("key", "ctrl+Return")
        for number in range(N_IMAGES):
            # Enter begins, ends looking, and accepts; it is pressed as a person would, until the trial is stored.
            deadline = time.monotonic() + PATIENCE_S
            while n_accepted() <= number:
                assert app.poll() is None, told()
                assert time.monotonic() < deadline, f"trial {number + 1} was never stored: {titles()}; {told()}"
                time.sleep(2.5)
                xdotool("key", "Return")
        xdotool("key", "Escape")
        time.sleep(2.0)
        xdotool("key", "ctrl+q")
        app.wait(30)
    finally:
        if app.poll() is None:
            app.kill()
            app.wait(10)
        log.close()
    assert "Traceback" not in told()
    with Study.open(place) as study:
        trials = study.trials(newest_only=True)
        assert len(trials) >= N_IMAGES
        assert all(trial.is_simulated for trial in trials)
        masks = {version.image_id for version in study.mask_versions()}
        # A look that was left with Escape before it was accepted is kept as well, without a mask.
        done = [trial for trial in trials if trial.status is TrialStatus.DONE]
        assert len(done) >= N_IMAGES
        assert {trial.image_id for trial in done if trial.outcome.value == "target"} <= masks
        sessions = [read_session(path) for path in (place / "sessions").glob("*.h5")]
    assert not list((place / "sessions").glob("*.journal"))
    assert sum(len(session.trials()) for session in sessions) >= N_IMAGES
    assert all(session.header.is_simulated for session in sessions)
