"""A recording under load: a 60 fps window, a thread that hogs the interpreter, and two processor hogs.

python -m benchmarks.acquisition_soak [--seconds 600] [--rate 1200] [--quick]; one hour: --seconds 3600.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from acquisition.gaps import n_missing_by_device
from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show
from domain.view import ImageView
from workflows.record_session import RecordSession


def hog_processor() -> None:
    while True:
        sum(range(10_000))


def hog_interpreter(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(100_000))


def main() -> None:
    parser = arguments(__doc__ or "", seconds=600.0, rate=1200.0, hogs=2.0)
    parser.add_argument("--no-window", action="store_true", help="do without the Qt window")
    given = parser.parse_args()
    seconds = 20.0 if given.quick else given.seconds
    hogs = [multiprocessing.Process(target=hog_processor, daemon=True) for _ in range(int(given.hogs))]
    stop = threading.Event()
    if not given.no_window:
        import PySide6.QtWidgets  # noqa: F401 - beside the hogs its import alone took 85 s
    with tempfile.TemporaryDirectory() as folder:
        settings = TrackerSettings("simulated", rate_hz=given.rate)
        session = RecordSession(Path(folder), settings)
        session.open()
        host = psutil.Process(session.host.pid)
        for hog in hogs:
            hog.start()
        if given.hogs:
            threading.Thread(target=hog_interpreter, args=(stop,), daemon=True).start()
        time.sleep(2.0)
        cpu_start, wall_start = sum(host.cpu_times()[:2]), time.perf_counter()
        memory_start = host.memory_full_info().uss
        session.begin_trial("soak", ImageView.fitted((600, 400), session.display.size_px))
        frames = draw(session, seconds) if not given.no_window else poll(session, seconds)
        wall = time.perf_counter() - wall_start
        cpu = (sum(host.cpu_times()[:2]) - cpu_start) / wall
        growth = (host.memory_full_info().uss - memory_start) / 2**20
        stop.set()
        for hog in hogs:
            hog.terminate()
        session.end_trial()
        record = session.close()
    samples = record.samples
    missing = n_missing_by_device(samples.device_us, given.rate)
    holes = int(np.sum(np.diff(samples.seq) - 1))
    show(
        f"{given.rate:g} Hz for {seconds:g} s: {len(samples)} simulated samples, {frames / wall:.0f} frames/s",
        [
            Figure("samples lost", f"{holes} by number, {missing} by device time", "0", holes == 0 and missing == 0),
            Figure("host, share of one core", f"{cpu:.1%}", "<= 10 %", cpu <= 0.10),
            Figure("host, memory growth", f"{growth:.1f} MB", "<= 20 MB", growth <= 20),
            Figure("overflows", str(record.quality["n_overflow"]), "0", record.quality["n_overflow"] == 0),
        ],
    )


def poll(session: RecordSession, seconds: float) -> int:
    end, frames = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        session.poll()
        frames += 1
        time.sleep(1 / 60)
    return frames


def draw(session: RecordSession, seconds: float) -> int:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QPointF, Qt, QTimer
    from PySide6.QtGui import QPainter, QPaintEvent
    from PySide6.QtWidgets import QApplication, QWidget

    class GazeWindow(QWidget):
        frames = 0

        def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
            painter = QPainter(self)
            painter.fillRect(self.rect(), Qt.GlobalColor.black)
            painter.setPen(Qt.GlobalColor.white)
            for x, y in np.nan_to_num(session.host.latest(200)["gaze_norm"][:, 0]):
                painter.drawEllipse(QPointF(float(x) * self.width(), float(y) * self.height()), 4.0, 4.0)
            painter.end()
            session.poll()
            self.frames += 1

    application = QApplication.instance() or QApplication([])
    window = GazeWindow()
    window.resize(1280, 720)
    window.show()
    frames = QTimer()
    frames.timeout.connect(window.update)
    frames.start(16)
    QTimer.singleShot(int(seconds * 1000), application.quit)
    application.exec()
    return window.frames


if __name__ == "__main__":
    main()
