"""The application's end of a training run: starts the worker, hears its events, sends commands. No torch here."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from domain.errors import UserFacingError
from storage.snapshot_file import read_snapshot
from training.config import TrainConfig
from training.messages import Event, RunState, decoded, encoded
from training.run_folder import RunFolder

_log = logging.getLogger(__name__)

# Beats come every second; a GPU that compiles may keep Python busy for a while.
SILENCE_S = 30.0


class TrainingRun:
    """One run in its own process."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self.folder = RunFolder(folder)
        self.state = RunState.QUEUED
        self.last: dict[str, Event] = {}
        self._process = process
        self._log = log
        self._events: queue.Queue[Event] = queue.Queue()
        self._heard = time.monotonic()
        self._has_ended = threading.Event()
        threading.Thread(target=self._listen, name="training events", daemon=True).start()

    @classmethod
    def start(cls, config: TrainConfig, snapshot_folder: Path, run_folder: Path, *, parent: str = "") -> TrainingRun:
        """Make the run's folder and start its process.

        Raises:
            UserFacingError: the snapshot is none, or the folder holds a run already.
        """
        snapshot = read_snapshot(snapshot_folder)
        RunFolder(run_folder).create(config, snapshot_folder, snapshot.digest, parent=parent)
        return cls._spawn(run_folder, is_resumed=False)

    @classmethod
    def start_again(cls, run_folder: Path) -> TrainingRun:
        """Go on with a run that was stopped or killed, from its newest checkpoint.

        Raises:
            BadFileError: there is no run in the folder.
        """
        RunFolder(run_folder).read()
        return cls._spawn(run_folder, is_resumed=True)

    @property
    def is_alive(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone and its last event can be polled."""
        return self._has_ended.is_set()

    @property
    def is_responding(self) -> bool:
        """Whether something was heard in the last half minute."""
        return not self.is_alive or time.monotonic() - self._heard < SILENCE_S

    @property
    def process_id(self) -> int:
        """The worker's process number."""
        return self._process.pid

    def poll(self) -> list[Event]:
        """All events since the last call, without waiting."""
        events = []
        with contextlib.suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def events(self) -> Iterator[Event]:
        """Events as they come, until the run has ended."""
        while True:
            try:
                yield self._events.get(timeout=0.1)
            except queue.Empty:
                if self._has_ended.is_set() and self._events.empty():
                    return

    def stop(self) -> None:
        """Write a checkpoint and end after the present step; the run can be resumed."""
        self._send("stop")

    def pause(self) -> None:
        """Write a checkpoint, give the GPU's memory back, and wait."""
        self._send("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        self._send("resume")

    def finish(self) -> None:
        """Make the model of what was learned so far."""
        self._send("finish")

    def preview(self) -> None:
        """Ask for new example predictions."""
        self._send("preview")

    def kill(self) -> None:
        """End the process at once; what follows its last checkpoint is lost."""
        self._process.kill()

    def wait(self, timeout_s: float | None = None) -> RunState:
        """Wait for the end of the run and of its messages; the state it ended in.

        Raises:
            TimeoutError: it still runs.
        """
        if not self._has_ended.wait(timeout_s):
            raise TimeoutError(f"the run in {self.folder.folder} still works after {timeout_s} s")
        return self.state

    def raise_if_failed(self) -> None:
        """Turn a failed end into an error for the user.

        Raises:
            UserFacingError: the run failed.
        """
        if self.state is RunState.FAILED:
            event = self.last.get("failed", {})
            raise UserFacingError(str(event.get("reason", "The training failed.")), str(event.get("hint", "")))

    @classmethod
    def _spawn(cls, folder: Path, *, is_resumed: bool) -> TrainingRun:
        paths = RunFolder(folder)
        log = paths.log.open("ab")
        root = str(Path(__file__).resolve().parent.parent)
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
        # A console of its own on Windows, so that a click into the user's console cannot halt the run.
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        process = subprocess.Popen(
            [*paths.command(is_resumed=is_resumed), "--supervised"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            creationflags=flags,
            # Ctrl-C in a terminal goes to the application, which then asks the run to stop.
            start_new_session=sys.platform != "win32",
        )
        return cls(folder, process, log)

    def _send(self, command: str) -> None:
        stream = self._process.stdin
        if stream is None or not self.is_alive:
            return
        try:
            stream.write(encoded({"command": command}))
            stream.flush()
        except (BrokenPipeError, OSError, ValueError):
            _log.info("the run ended before it heard %s", command)

    def _listen(self) -> None:
        stream = self._process.stdout
        if stream is not None:
            for line in iter(stream.readline, b""):
                self._heard = time.monotonic()
                event = decoded(line)
                if event is not None:
                    self._take(event)
            stream.close()
        code = self._process.wait()
        if not self.state.is_final:
            self._take({"event": "state", "state": RunState.FAILED.value, "text": ""})
            self._take({"event": "failed", **_meaning(code, self.folder)})
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._log.close()
        self._has_ended.set()

    def _take(self, event: Event) -> None:
        kind = str(event.get("event", ""))
        self.last[kind] = event
        if kind == "state":
            with contextlib.suppress(ValueError):
                self.state = RunState(str(event.get("state")))
        if kind != "heartbeat":
            self._events.put(event)


def _meaning(code: int, folder: RunFolder) -> dict[str, str]:
    """What the exit code of a worker that said nothing more means."""
    hint = f"Resume goes on from the last checkpoint. The trace is in {folder.log}."
    if code in (-9, 137):
        return {"reason": "The training process was killed, most likely because the memory was full.", "hint": hint}
    if code in (-11, 139, 3221225477):
        return {"reason": "The training process crashed in compiled code.", "hint": hint}
    if code < 0:
        return {"reason": f"The training process was ended by signal {-code}.", "hint": hint}
    return {"reason": f"The training process ended with code {code} without a word.", "hint": hint}
