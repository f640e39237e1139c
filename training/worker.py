"""The process of one training run: `python -m training.worker RUN_FOLDER [--resume] [--supervised]`.

Speaks the messages of `training.messages`; under torchrun each process takes its share of every batch.
"""

from __future__ import annotations

import argparse
import atexit
import faulthandler
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from domain.errors import Cancelled, UserFacingError
from training.messages import Event, RunState, decoded, encoded

_log = logging.getLogger(__name__)

_NICENESS = 10


class Voice:
    """Writes events to the application and to events.jsonl; silent in all but the first process."""

    def __init__(self, stream: BinaryIO | None, record: Path | None) -> None:
        self._stream = stream
        self._record = record.open("ab") if record else None
        self._lock = threading.Lock()
        self.state = RunState.QUEUED
        self.step = 0

    def say(self, **event: object) -> None:
        """One event."""
        if self._stream is None:
            return
        line = encoded(dict(event))
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except (BrokenPipeError, ValueError, OSError):
                # The application is gone; the run ends through its stdin, the record goes on.
                _log.info("nobody listens any more")
            if self._record and event.get("event") not in ("heartbeat", "progress"):
                self._record.write(line)
                self._record.flush()

    def enter(self, state: RunState, text: str = "") -> None:
        """A new state."""
        self.state = state
        self.say(event="state", state=state.value, text=text, step=self.step)


class Ears:
    """Reads commands from stdin in a thread; the end of stdin is heard as the command `stop`."""

    def __init__(self, stream: BinaryIO | None) -> None:
        self._commands: queue.Queue[Event] = queue.Queue()
        self._stop = threading.Event()
        self._leaving = threading.Lock()
        self._leave: Callable[[], None] | None = None
        if stream is not None:
            threading.Thread(target=self._listen, args=(stream,), name="commands", daemon=True).start()

    @property
    def is_told_to_stop(self) -> bool:
        """Whether `stop` was heard, be it taken or not."""
        return self._stop.is_set()

    def next(self, *, wait_s: float = 0.0) -> Event | None:
        """The oldest command that was not taken yet."""
        try:
            return self._commands.get(timeout=wait_s) if wait_s else self._commands.get_nowait()
        except queue.Empty:
            return None

    def leave_at_stop(self, leave: Callable[[], None]) -> None:
        """Until `stay`, a stop ends the process through `leave`: there is nothing to lose yet."""
        with self._leaving:
            self._leave = leave
        if self.is_told_to_stop:
            leave()

    def stay(self) -> None:
        """From now on a stop is a command like others: it waits to be taken."""
        with self._leaving:
            self._leave = None

    def _listen(self, stream: BinaryIO) -> None:
        for line in iter(stream.readline, b""):
            command = decoded(line)
            if command is not None:
                self._put(command)
        self._put({"command": "stop", "reason": "the application is gone"})

    def _put(self, command: Event) -> None:
        is_stop = command.get("command") == "stop"
        with self._leaving:
            if is_stop and self._leave is not None:
                self._leave()
        self._commands.put(command)
        if is_stop:
            self._stop.set()


def main(arguments: list[str] | None = None) -> int:
    """Run one training; the exit code is 0 done or stopped, 2 refused, 1 failed."""
    parser = argparse.ArgumentParser(prog="training.worker", description="Train one model.")
    parser.add_argument("run_folder", type=Path)
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument("--supervised", action="store_true", help="commands come on stdin; its end stops the run")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    faulthandler.enable()
    is_first = int(os.environ.get("RANK", "0")) == 0
    stdout = _own_stdout() if is_first else None
    voice = Voice(stdout, options.run_folder / "events.jsonl" if is_first and options.run_folder.is_dir() else None)
    # Unbuffered: a buffered reader that waits in a thread makes the interpreter's end a crash.
    ears = Ears(os.fdopen(0, "rb", buffering=0, closefd=False) if options.supervised and is_first else None)
    stop_beating = threading.Event()
    threading.Thread(target=_beat, args=(voice, stop_beating), name="heartbeat", daemon=True).start()
    if options.supervised:
        _give_way()
    voice.enter(RunState.QUEUED, "starting")
    # While torch is imported, images are checked and read and the network is made, which takes seconds to minutes.
    ears.leave_at_stop(lambda: _stopped_before_it_began(voice))
    try:
        # torch takes seconds to import; the application hears of the run before.
        from training.run import Run

        Run(options.run_folder, voice, ears, is_resumed=options.resume).execute()
        return 0
    except Cancelled:
        voice.enter(RunState.STOPPED)
        voice.say(event="stopped", step=voice.step)
        return 0
    except UserFacingError as error:
        voice.enter(RunState.FAILED, error.message)
        voice.say(event="failed", reason=error.message, hint=error.hint, step=voice.step)
        _log.error("%s", error)
        return 2
    except Exception as error:  # noqa: BLE001 - the process's edge
        _log.exception("the run failed")
        voice.enter(RunState.FAILED, str(error))
        voice.say(
            event="failed",
            reason=f"{type(error).__name__}: {error}",
            hint=f"The whole trace is in {options.run_folder / 'log.txt'}. Resume goes on from the last checkpoint.",
            step=voice.step,
        )
        return 1
    finally:
        stop_beating.set()


def _stopped_before_it_began(voice: Voice) -> None:
    voice.enter(RunState.STOPPED)
    voice.say(event="stopped", step=voice.step)
    os._exit(0)


def _give_way() -> None:
    """Run behind whatever has a user in front of it: idle cores are still used wholly."""
    try:
        import psutil
    except ImportError:
        return
    try:
        own = psutil.Process()
        own.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else min(19, own.nice() + _NICENESS))
    except (OSError, psutil.Error):
        _log.info("the priority could not be lowered")


def _own_stdout() -> BinaryIO:
    """The real stdout for events alone; whatever libraries print goes to stderr from now on."""
    stream = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return stream


def _beat(voice: Voice, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        voice.say(event="heartbeat", state=voice.state.value, step=voice.step)


def _leave(code: int) -> None:
    """End the process without taking torch apart, which takes a second: everything is written and closed."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main())
