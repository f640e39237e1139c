from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acquisition.tracker import TrackerSettings
from workflows.record_session import RecordSession
from workflows.replay_source import PREFIX, sweep

ROOT = Path(__file__).resolve().parents[3]


def test_that_replaying_a_session_leaves_nothing_in_the_temporary_folder(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, TrackerSettings(speed=0.0))
    session.open()
    session.advance(1.0)
    session.close()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = (
        "import sys; from pathlib import Path; from workflows.replay_source import replay_settings\n"
        "path = Path(replay_settings(Path(sys.argv[1])).options['path']); print(path.is_file())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "TEMP": str(temporary)}
    said = subprocess.run(
        [sys.executable, "-c", program, str(session.session_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "True"
    assert not list(temporary.iterdir())


def test_that_leftovers_of_killed_programs_are_swept_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, new, other = tmp_path / f"{PREFIX}a.npy", tmp_path / f"{PREFIX}b.npy", tmp_path / "c.npy"
    for path in (old, new, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (time.time() - 2 * 86_400,) * 2)
    sweep()
    assert sorted(tmp_path.iterdir()) == [other, new]
