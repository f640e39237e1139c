"""Is the window smooth while a worker trains at full load, and how soon does it stop? Simulated gaze, synthetic frames.

    python -m benchmarks.train_gui [--seconds 30] [--quick] [--size 1366x768]

The training page is left as it is: it looks for news of the worker a few times a second and repaints the plot that
has some, one at a time. The window does all of its work on the beat of 60 frames a second (events, timers, paints), so
a frame lasts from the moment it was due until nothing is left to do or to paint; waiting for a processor counts. Frames
in which a plot was painted are told apart, and so is what the thread of the window itself computed, for a machine that
has other work. Runs in a window where a display is at hand (start it under `xvfb-run -s "-screen 0 1920x1080x24"`
elsewhere), else off-screen.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.figures import Figure, show

if TYPE_CHECKING:
    from app.screens.train import TrainScreen

FRAME_S = 1 / 60
LIMIT_S = 120.0
N_ROUNDS = 4
"""A timer asks for a repaint, a scene gathers it, the window paints: each may be an event of its own."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--quick", action="store_true", help="five seconds")
    parser.add_argument("--size", default="1366x768", help="of the window, in pixels")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else options.seconds
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIGHTLINE_HOME"] = folder
        figures = _measured(Path(folder), seconds, options.size)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return show(
        f"The training page ({options.size}) while a worker trains, {os.cpu_count()} cores, load {load}", figures
    )


def _measured(folder: Path, seconds: float, size: str) -> list[Figure]:
    from app.entry import application, main_window
    from app.screens.train import TrainScreen
    from benchmarks.frames import study_with_labels
    from domain.study import Role
    from workflows.user_settings import UserSettings

    app = application(UserSettings())
    window = main_window(UserSettings(path=str(folder / "settings.json")))
    width, height = (int(number) for number in size.split("x"))
    window.resize(width, height)
    window.show()
    study = study_with_labels(folder / "study", n_images=24)
    window.services.set_annotator("anna", Role.ADMIN)
    window.use_study(study)
    page = window.screen_widget("train")
    if not isinstance(page, TrainScreen):
        raise TypeError("the training page is another screen than this program knows")
    page.changes = {"steps": 100_000, "evaluate_every": 0}
    page.card.chooses_labels.setChecked(False)
    window.navigate("train")
    idle, _, _ = _frames(page, seconds)
    page.start()
    _wait_for(lambda: page.curves.loss_plot.n_points("loss") > 3)
    worker = page.run
    if worker is None:
        raise RuntimeError("the worker ended at once")
    import psutil

    process = psutil.Process(worker.process_id)
    before = process.cpu_times()
    began = time.perf_counter()
    busy, own, painted = _frames(page, seconds)
    after = process.cpu_times()
    cores = (after.user + after.system - before.user - before.system) / (time.perf_counter() - began)
    asked = time.perf_counter()
    page.stop()
    _wait_for(lambda: not worker.is_alive)
    stop_s = time.perf_counter() - asked
    window.close()
    app.processEvents()
    p99, worst = float(np.percentile(busy, 99)), float(busy.max())
    return [
        Figure("frame without training, median", f"{np.median(idle):.1f} ms", "", None),
        Figure("frame without training, p99", f"{np.percentile(idle, 99):.1f} ms", "", None),
        Figure("frame while training, median", f"{np.median(busy):.1f} ms", "", None),
        Figure("frame while training, p99", f"{p99:.1f} ms", "<= 16 ms", p99 <= 16),
        Figure(
            f"frames in which a plot was painted ({painted.sum()} of {len(painted)}), median",
            f"{np.median(busy[painted]):.1f} ms",
            "",
            None,
        ),
        Figure("frames in which a plot was painted, p99", f"{np.percentile(busy[painted], 99):.1f} ms", "", None),
        Figure("of it computed by the window, median", f"{np.median(own):.1f} ms", "", None),
        Figure("of it computed by the window, p99", f"{np.percentile(own, 99):.1f} ms", "", None),
        Figure("frame while training, longest", f"{worst:.1f} ms", "", None),
        Figure("processor the worker had meanwhile", f"{cores:.2f} cores", "", None),
        Figure("stop: click to the end of the worker", f"{stop_s:.2f} s", "<= 1 s", stop_s <= 1),
    ]


def _frames(page: TrainScreen, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Milliseconds of each frame, of processor time in it, and whether a plot was painted in it."""
    from PySide6.QtCore import QCoreApplication, QEvent, QObject

    class Paints(QObject):
        n_seen = 0

        def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802
            self.n_seen += event.type() == QEvent.Type.Paint
            return False

    paints = Paints()
    viewports = [plot.viewport() for plot in (page.curves.loss_plot, page.curves.dice_plot)]
    for viewport in viewports:
        viewport.installEventFilter(paints)
    rows: list[tuple[float, float, bool]] = []
    began = time.perf_counter()
    due = began + FRAME_S
    while due - began < seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        spent, n_before = time.thread_time(), paints.n_seen
        for _ in range(N_ROUNDS):
            QCoreApplication.processEvents()
        now = time.perf_counter()
        rows.append((1e3 * (now - due), 1e3 * (time.thread_time() - spent), paints.n_seen > n_before))
        # A frame that came late does not make the next one late as well: the next tick of the clock counts.
        due += FRAME_S * max(1, np.ceil((now - due) / FRAME_S))
    for viewport in viewports:
        viewport.removeEventFilter(paints)
    took, computed, painted = (np.asarray(column) for column in zip(*rows, strict=True))
    return took, computed, painted.astype(bool)


def _wait_for(condition: Callable[[], bool]) -> None:
    from PySide6.QtTest import QTest

    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the training did not get so far in two minutes")
        QTest.qWait(5)


if __name__ == "__main__":
    raise SystemExit(main())
