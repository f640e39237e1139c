"""Faults while gaze is recorded: killed processes, full disks, trackers that vanish, clocks that jump."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from acquisition.finalise import recover_all
from acquisition.tracker import TrackerSettings
from benchmarks.fault_cases import Case, Result, fill, lines_until_killed, program, small_disk, wait_until
from domain.errors import UserFacingError
from domain.session import GapCause
from storage.journal import is_being_written, read_journal
from storage.session_file import read_session
from workflows.record_session import RecordSession

REAL_TIME = TrackerSettings(driver="simulated", speed=1.0, rate_hz=600.0, options={"blinks_per_min": 0})

_RECORD = """
import sys, time
from pathlib import Path
from acquisition.tracker import TrackerSettings
from workflows.record_session import RecordSession
session = RecordSession(Path(sys.argv[1]), TrackerSettings(speed=1.0, rate_hz=600.0))
session.open()
while True:
    print(session.host.pid, session.host.ring.head, flush=True)
    time.sleep(0.01)
"""


def kill_host(folder: Path, chance: random.Random) -> Result:
    """kill -9 of the tracker host; what the ring had shown must be in the recovered session."""
    session = RecordSession(folder, REAL_TIME)
    session.open()
    process = session.host._process
    if process is None:
        return Result(False, detail="the host did not start")
    time.sleep(0.2 + chance.random())
    n_written = int(session.host.status()["n_recorded"])
    process.kill()
    process.wait()
    is_noticed = wait_until(lambda: not session.host.is_alive, 5.0)
    session.host.close()
    return _compare(folder, n_written, "" if is_noticed else "the death was not noticed")


def kill_application(folder: Path, chance: random.Random) -> Result:
    """kill -9 of the application; its host ends the journal by itself."""
    application = program(_RECORD, str(folder))
    lines = lines_until_killed(application, 0.2 + chance.random())
    n_seen = int(lines[-1].split()[1])
    (journal,) = folder.glob("*.journal")
    if not wait_until(lambda: not is_being_written(journal), 15.0):
        return Result(False, detail="the host outlived the application")
    # By number: what the ring held before the recording began was never to be in it.
    first = int(read_journal(journal).samples["seq"][0])
    return _compare(folder, n_seen - first)


def cut_journal(folder: Path, chance: random.Random) -> Result:
    """The end of the journal is missing, as after a power cut; all whole frames before it must be there."""
    settings = replace(REAL_TIME, speed=0.0)
    session = RecordSession(folder, settings)
    session.open()
    for _ in range(50):
        session.advance(0.1)
    session.stop()
    session.host.close()
    content = session.journal_path.read_bytes()
    # Behind the header; without it a journal says nothing.
    at = chance.randrange(4000, len(content))
    session.journal_path.write_bytes(content[:at])
    kept = read_journal(session.journal_path)
    n_possible = len(kept.samples)
    result = _compare(folder, n_possible)
    return replace(result, detail=result.detail or f"{n_possible} of 3000 samples lay before the cut")


def full_disk(folder: Path, chance: random.Random) -> Result:
    """The disk fills while recording; there is room again later, and the session must hold all samples."""
    with small_disk(folder, "2m") as disk:
        session = RecordSession(disk, replace(REAL_TIME, speed=0.0))
        session.host._limits.update(warn_bytes=0, stop_bytes=0)
        session.open()
        session.advance(0.5 + chance.random())
        fill(disk)
        session.advance(2.0)
        (disk / "filler").unlink()
        session.advance(0.5)
        time.sleep(0.5)
        n_made = session.host.ring.head
        record = session.close()
        whole = bool(np.all(np.diff(record.samples.seq) == 1))
        return Result(whole and len(record.samples) > 0, max(0, n_made - len(record.samples)))


def full_disk_when_ending(folder: Path, chance: random.Random) -> Result:
    """No room to publish the session: an error in words, the journal stays, and repair works once there is room."""
    with small_disk(folder, "2m") as disk:
        session = RecordSession(disk, replace(REAL_TIME, speed=0.0))
        session.host._limits.update(warn_bytes=0, stop_bytes=0)
        session.open()
        session.advance(2.0 + chance.random())
        session.stop()
        n_made = len(read_journal(session.journal_path).samples)
        fill(disk)
        try:
            session.close()
            return Result(False, detail="no error although the disk was full")
        except (UserFacingError, OSError) as error:
            detail = type(error).__name__
        finally:
            session.host.close()
        if list(disk.glob("*.h5")):
            return Result(False, n_made, "half a session file is left")
        (disk / "filler").unlink()
        result = _compare(disk, n_made)
        return replace(result, detail=result.detail or f"told as {detail}")


def unplugged(folder: Path, chance: random.Random) -> Result:
    """The tracker is unplugged and comes back: the recording goes on, and the gap has its name."""
    fault = {"at_s": 0.2 + 0.2 * chance.random(), "kind": "disconnect", "duration_s": 0.3}
    session = RecordSession(folder, replace(REAL_TIME, options={"faults": [fault], "blinks_per_min": 0}))
    session.open()
    first = session._position
    kinds: list[str] = []

    def is_back() -> bool:
        kinds.extend(event.kind for event in session.events())
        return "reconnected" in kinds

    came_back = wait_until(is_back)
    time.sleep(0.3)
    n_made = session.host.ring.head - first
    record = session.close()
    gaps = [gap for gap in record.gaps if gap.cause is GapCause.DISCONNECTED]
    good = came_back and len(gaps) == 1 and bool(np.all(np.diff(record.samples.time_ns) > 0))
    return Result(good, max(0, n_made - len(record.samples)), f"gaps {[gap.cause.value for gap in record.gaps]}"[:60])


def unplugged_for_good(folder: Path, chance: random.Random) -> Result:
    """The tracker does not come back: what was recorded before is in a good session file."""
    fault = {"at_s": 0.5 + 0.3 * chance.random(), "kind": "disconnect", "duration_s": 3600.0}
    session = RecordSession(folder, replace(REAL_TIME, options={"faults": [fault], "blinks_per_min": 0}))
    session.open()
    first = session._position
    kinds: list[str] = []

    def is_told() -> bool:
        kinds.extend(event.kind for event in session.events())
        return "connection_lost" in kinds

    told = wait_until(is_told)
    n_made = session.host.ring.head - first
    record = session.close()
    return Result(told and n_made > 0, max(0, n_made - len(record.samples)))


def clock_jump(folder: Path, chance: random.Random) -> Result:
    """The device clock jumps forwards or backwards: time still rises, no sample is lost, the jump is told."""
    amount_us = chance.choice((-1, 1)) * chance.randrange(1_000_000, 90_000_000)
    fault = {"at_s": 2.0, "kind": "stamp_jump", "amount_us": amount_us}
    settings = replace(REAL_TIME, speed=0.0, options={"faults": [fault], "blinks_per_min": 0})
    session = RecordSession(folder, settings)
    session.open()
    session.advance(5.0)
    kinds = [event.kind for event in session.events()]
    n_made = session.host.ring.head
    record = session.close()
    rises = bool(np.all(np.diff(record.samples.time_ns) > 0))
    seconds = float(record.samples.time_ns[-1] - record.samples.time_ns[0]) / 1e9
    good = rises and "clock_jump" in kinds and abs(seconds - 5.0) < 0.2
    return Result(good, max(0, n_made - len(record.samples)), f"jump of {amount_us / 1e6:+.0f} s")


def _compare(folder: Path, n_wanted: int, detail: str = "") -> Result:
    """Recover all journals of a folder and count the samples that are there."""
    found = recover_all(folder)
    if len(found) != 1 or found[0].session is None:
        return Result(False, n_wanted, detail or f"not recovered: {[one.problem for one in found]}")
    record = read_session(found[0].session)
    whole = bool(np.all(np.diff(record.samples.seq) == 1))
    lost = max(0, n_wanted - len(record.samples))
    return Result(whole and not detail, lost, detail or ("" if whole else "samples are missing in the middle"))


CASES = (
    Case("kill -9 of the tracker host while recording", kill_host),
    Case("kill -9 of the application while recording", kill_application),
    Case("journal cut short (power cut)", cut_journal),
    Case("disk full for a while in a recording", full_disk, 5, 1),
    Case("disk full when a recording ends", full_disk_when_ending, 5, 1),
    Case("tracker unplugged and plugged in again", unplugged, 10, 1),
    Case("tracker unplugged for good", unplugged_for_good, 10, 1),
    Case("clock of the tracker jumps", clock_jump, 10, 2),
)
