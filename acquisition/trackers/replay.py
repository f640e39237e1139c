"""A recording as if it were live: a journal, rows saved by numpy, or a dump of what tobii_research delivered."""

from __future__ import annotations

import ast
import csv
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquisition.display_area import display_corners
from acquisition.tracker import Clock, SampleSink, Tracker, TrackerSettings, trackers
from domain.errors import BadFileError, TrackerError
from domain.gaze import LEFT, RIGHT, SAMPLE_RECORD
from domain.session import TrackerInfo
from storage.journal import read_journal

log = logging.getLogger(__name__)

PACE_S = 0.002
CHUNK_ROWS = 1024
SUFFIXES = (".journal", ".npy", ".csv")


@trackers.register("replay")
class ReplayTracker(Tracker):
    """Plays `options["path"]` once, with its pauses; the tracker's stamps stay as they were recorded.

    A session file (.h5) is turned into rows by `workflows.replay_source` first: the host does not read HDF5.
    """

    name = "replay"
    label = "Replay of a recording"

    def __init__(self, settings: TrackerSettings, clock: Clock) -> None:
        super().__init__(settings, clock)
        path = str(settings.options.get("path", ""))
        if not path:
            raise TrackerError("No recording to replay was named.", "Set the option `path`.")
        self._path = Path(path)
        self._rows = read_recording(self._path)
        if len(self._rows) == 0:
            raise BadFileError(f"{self._path} holds no gaze samples.")
        stamps = self._rows["time_ns"] if self._rows["time_ns"][0] else self._rows["device_us"] * 1000
        # A clock that jumped back in the recording must not stop the replay.
        steps = np.maximum(np.diff(stamps, prepend=stamps[0]), 0)
        self._offsets_ns = np.cumsum(steps)
        self._period_ns = float(np.median(steps[steps > 0])) if np.any(steps > 0) else 1e9 / 60
        self._next = 0
        self._began_ns = 0
        self._sink: SampleSink | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def info(self) -> TrackerInfo:
        """What is replayed; it counts as simulated, since nobody looks."""
        return TrackerInfo(
            "replay",
            model=f"Replay of {self._path.name}",
            serial="REPLAY",
            rate_hz=round(1e9 / self._period_ns, 2),
            display_area_mm=display_corners(self.settings.display),
            is_simulated=True,
        )

    @property
    def n_samples(self) -> int:
        """How many samples the recording has."""
        return len(self._rows)

    def start(self, sink: SampleSink) -> None:
        """Play from where it stopped."""
        self._sink = sink
        resumed = int(self._offsets_ns[self._next - 1]) if self._next else 0
        self._began_ns = self.clock.now_ns() - resumed
        if self.settings.speed == 0:
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop playing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping.set()
            thread.join()
        self._sink = None

    def reconnect(self) -> None:
        """A file is always there."""

    def advance(self, duration_ns: int) -> None:
        """Let time pass."""
        if self.settings.speed != 0:
            super().advance(duration_ns)
        self._emit_until(self.clock.now_ns() + duration_ns)

    def _run(self) -> None:
        while not self._stopping.wait(PACE_S):
            try:
                self._emit_until(self.clock.now_ns())
            except Exception:
                log.exception("the replay goes on after an error")

    def _emit_until(self, now_ns: int) -> None:
        sink = self._sink
        if sink is None:
            return
        is_stepped = self.settings.speed == 0
        due = int(np.searchsorted(self._offsets_ns, now_ns - self._began_ns, side="right"))
        while self._next < due:
            stop = min(due, self._next + CHUNK_ROWS)
            rows = self._rows[self._next : stop].copy()
            rows["time_ns"] = self._began_ns + self._offsets_ns[self._next : stop]
            if is_stepped:
                sink.wait_for_room(len(rows))
                self.clock.advance_to(max(int(rows["time_ns"][-1]), self.clock.now_ns()))
            self._next = stop
            sink.samples(rows)
            if stop == len(self._rows):
                sink.notify("replay_ended", {"n_samples": stop})
        if is_stepped:
            self.clock.advance_to(now_ns)


def read_recording(path: Path) -> NDArray[np.void]:
    """Rows of `SAMPLE_RECORD` from a journal, a .npy file or a `tobii_research` dump.

    Raises:
        BadFileError: missing, unreadable, or none of these.
    """
    if not path.is_file():
        raise BadFileError(f"There is no recording {path}.")
    if path.suffix == ".journal":
        return read_journal(path).samples
    if path.suffix == ".npy":
        try:
            rows = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BadFileError(f"{path} is not a file of numpy: {error}.") from error
        if rows.dtype != SAMPLE_RECORD:
            raise BadFileError(f"{path} holds no gaze samples of Sightline.")
        return np.asarray(rows)
    if path.suffix == ".csv":
        return read_tobii_dump(path)
    raise BadFileError(f"{path} cannot be replayed.", f"It must end with {', '.join(SUFFIXES)} or .h5.")


def read_tobii_dump(path: Path) -> NDArray[np.void]:
    """What a `tobii_research` callback delivered, one dictionary per row: `;`-separated, tuples as text.

    System stamps may have lost digits (1.56466617034e+15); device stamps are whole and give the time.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = list(csv.DictReader(file, delimiter=";"))
        if table and None in table[-1].values():
            log.warning("%s ends in the middle of a row, which is left out", path)
            table.pop()
        rows = np.zeros(len(table), SAMPLE_RECORD)
        rows["openness_mm"] = np.nan
        for row, values in zip(rows, table, strict=True):
            _fill(row, values)
    except (KeyError, ValueError, TypeError, SyntaxError, UnicodeDecodeError) as error:
        raise BadFileError(f"{path} is no dump of tobii_research: {error!r}.") from error
    return rows


def _fill(row: Any, values: Mapping[str, str]) -> None:  # Any: one row of a structured array
    row["device_us"] = int(values["device_time_stamp"])
    row["system_us"] = int(float(values["system_time_stamp"]))
    for eye, side in ((LEFT, "left"), (RIGHT, "right")):
        row["gaze_norm"][eye] = _tuple(values[f"{side}_gaze_point_on_display_area"])
        row["gaze_mm"][eye] = _tuple(values[f"{side}_gaze_point_in_user_coordinate_system"])
        row["origin_mm"][eye] = _tuple(values[f"{side}_gaze_origin_in_user_coordinate_system"])
        row["pupil_mm"][eye] = float(values[f"{side}_pupil_diameter"])
        row["gaze_valid"][eye] = int(values[f"{side}_gaze_point_validity"])
        row["origin_valid"][eye] = int(values[f"{side}_gaze_origin_validity"])
        row["pupil_valid"][eye] = int(values[f"{side}_pupil_validity"])


def _tuple(text: str) -> tuple[float, ...]:
    # "(nan, nan)" is no Python literal.
    return tuple(float(value) for value in ast.literal_eval(text.replace("nan", "'nan'")))
