"""One Qt application in a real window where a screen can be had: DISPLAY, else an own Xvfb, else offscreen."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def _start_xvfb() -> subprocess.Popen[bytes] | None:
    if os.environ.get("DISPLAY") or not sys.platform.startswith("linux") or shutil.which("Xvfb") is None:
        return None
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1920x1080x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    if not number:
        process.wait(10)
        return None
    os.environ["DISPLAY"] = f":{number}"
    # Registered before Qt is imported, so that the screen goes last: Qt leaves the program when its screen dies.
    atexit.register(process.terminate)
    return process


@pytest.fixture(scope="session")
def virtual_screen() -> str:
    """Which Qt platform the tests of this session run on."""
    _start_xvfb()
    if not os.environ.get("DISPLAY") and sys.platform.startswith("linux"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    elif sys.platform.startswith("linux"):
        os.environ["QT_QPA_PLATFORM"] = "xcb"
    return os.environ.get("QT_QPA_PLATFORM", "")


@pytest.fixture(scope="session")
def qapp(virtual_screen: str) -> object:
    """The application of pytest-qt, replaced by ours: dark from the start."""
    from app.entry import application
    from workflows.user_settings import UserSettings

    return application(UserSettings())


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the settings of the person who runs it."""
    home = tmp_path / "home"
    monkeypatch.setenv("SIGHTLINE_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def quick_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests press keys faster than anybody sees; those that are about that say so."""
    monkeypatch.setattr("app.seen_long_enough.SEEN_MS", 0)


@pytest.fixture
def window(qapp: object, own_home: Path) -> Iterator[object]:
    """A shown main window; it must close without leaving a task behind."""
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    from app.entry import main_window
    from workflows.user_settings import UserSettings

    made = main_window(UserSettings(path=str(own_home / "settings.json")))
    made.show()
    made.activateWindow()
    QTest.qWaitForWindowActive(made, 5000)
    yield made
    made.close()
    assert not made.isVisible()
    made.deleteLater()
    QApplication.processEvents()
    assert not made.tasks.active
    left = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    said = f"windows left open: {left}"
    for widget in left:  # one failure must not be found in every later test as well
        widget.hide()
        widget.deleteLater()
    assert not left, said


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Let Qt work until something is true."""
    from app.let_run import let_run

    def wait(is_true: Callable[[], bool], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_true():
            if time.monotonic() > deadline:
                raise AssertionError(f"not true after {seconds} s")
            let_run(10)

    return wait
