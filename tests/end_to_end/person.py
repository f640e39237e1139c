"""A person at the application: reads the screen, moves the mouse, presses keys. X events only, through xdotool."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).resolve().parent / "seen_app.py"
PATIENCE_S = 120.0


class Person:
    """Starts the application on a display and uses it until `leave`."""

    def __init__(self, display: str, home: Path, shots: Path) -> None:
        self.shots = shots
        self.environment = {
            **os.environ,
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "SIGHTLINE_HOME": str(home),
            "OMP_NUM_THREADS": "1",
        }
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.log_path = shots / "app.log"
        self._log = self.log_path.open("w", encoding="utf-8")
        self.app = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self.environment,
            text=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    # eyes

    def places(self, words: str) -> list[dict[str, Any]]:
        """Everything with these words on it: the whole text first, else a part of it."""
        found = self._ask({"find": words})
        return list(found)

    def read(self) -> str:
        """Everything that can be read now."""
        return "\n".join(self._ask({"read": True}))

    def wait_to_read(self, *words: str, seconds: float = PATIENCE_S) -> str:
        """Wait until one of these can be read; which one."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.read().lower()
            for one in words:
                if one.lower() in text:
                    return one
            if time.monotonic() > deadline:
                self.picture("failed")
                raise AssertionError(f"none of {words} can be read after {seconds:.0f} s, but:\n{text}\n{self.told()}")
            time.sleep(0.2)

    def wait(self, holds: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        """Wait for something outside the screen."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.app.poll() is None, self.told()
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}; on the screen:\n{self.read()}\n{self.told()}")
            time.sleep(0.2)

    def picture(self, name: str) -> Path:
        """What the screen shows now, kept."""
        path = self.shots / f"{name}.png"
        assert self._ask({"grab": str(path)})
        return path

    # hands

    def click(self, words: str, *, seconds: float = PATIENCE_S) -> None:
        """Click what has these words on it, once it can be clicked."""
        deadline = time.monotonic() + seconds
        while True:
            found = [place for place in self.places(words) if place["enabled"] and place["kind"] != "QLabel"]
            if found:
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing to click with {words!r} on it, but:\n{self.read()}\n{self.told()}")
            time.sleep(0.2)
        # The rail's buttons have the names of pages; a person who is on the page means the button there.
        self._click_at(min(found, key=lambda place: place["kind"] == "QToolButton"))

    def write(self, field: str, text: str) -> None:
        """Fill a field of a form."""
        self._click_at(self._field(field))
        self.keys("ctrl+a")
        self._do("type", "--delay", "8", text)

    def choose(self, field: str, text: str) -> None:
        """Choose from a list by its first letters."""
        self._click_at(self._field(field))
        time.sleep(0.4)
        self._do("type", "--delay", "30", text)
        self.keys("Return")

    def keys(self, *names: str, pause_s: float = 0.15) -> None:
        """Press keys, one after the other."""
        for name in names:
            self._do("key", name)
            time.sleep(pause_s)

    def drag(self, from_xy: tuple[int, int], to_xy: tuple[int, int]) -> None:
        """Draw with the mouse."""
        self._do("mousemove", str(from_xy[0]), str(from_xy[1]))
        self._do("mousedown", "1")
        for step in range(1, 9):
            x = from_xy[0] + (to_xy[0] - from_xy[0]) * step // 8
            y = from_xy[1] + (to_xy[1] - from_xy[1]) * step // 8
            self._do("mousemove", str(x), str(y))
        self._do("mouseup", "1")
        time.sleep(0.3)

    def focus(self) -> None:
        """Bring the newest window of the application to the front, where no window manager does it."""
        found = self._do("search", "--onlyvisible", "--name", "Sightline").split()
        if found:
            self._do("windowfocus", found[-1])
        time.sleep(0.3)

    def leave(self) -> int:
        """Quit with the key; how the application ended."""
        self.keys("ctrl+q")
        try:
            return self.app.wait(60)
        finally:
            self.end()

    def end(self) -> None:
        """Let go, whatever happened."""
        if self.app.poll() is None:
            self.app.kill()
            self.app.wait(10)
        for stream in (self.app.stdin, self.app.stdout, self._log):
            if stream is not None:
                stream.close()

    def told(self) -> str:
        """The end of the application's log."""
        return self.log_path.read_text(errors="replace")[-3000:]

    # inside

    def _listen(self) -> None:
        assert self.app.stdout is not None
        for line in self.app.stdout:
            if line.startswith("ANSWER "):
                self._answers.put(line[7:])

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self.app.stdin is not None
        assert self.app.poll() is None, self.told()
        self.app.stdin.write(json.dumps(question) + "\n")
        self.app.stdin.flush()
        return json.loads(self._answers.get(timeout=PATIENCE_S))

    def _field(self, words: str) -> dict[str, Any]:
        found = self._ask({"field": words})
        assert found, f"no field {words!r}; on the screen:\n{self.read()}"
        return dict(found[0])

    def _click_at(self, place: dict[str, Any]) -> None:
        x, y = place["x"] + place["width"] // 2, place["y"] + place["height"] // 2
        self._do("mousemove", str(x), str(y))
        self._do("click", "1")
        time.sleep(0.3)

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(["xdotool", *arguments], env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()
