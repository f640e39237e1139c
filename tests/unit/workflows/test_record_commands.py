from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from acquisition.tracker import TrackerSettings
from storage.session_file import read_session
from workflows.command_line import build, run
from workflows.record_session import RecordSession
from workflows.sample_study import open_sample_study


def left_by_a_crash(folder: Path) -> None:
    session = RecordSession(folder, TrackerSettings(speed=0))
    session.open()
    session.advance(2.0)
    while session.host.status()["n_recorded"] < 240:
        time.sleep(0.01)
    session.host._process.kill()  # type: ignore[union-attr]
    session.host._process.wait()  # type: ignore[union-attr]
    session.host.close()


def test_that_record_lets_a_simulated_annotator_look_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_sample_study(tmp_path / "study", n_frames=4).close()
    arguments = ["record", str(tmp_path / "study"), "--images", "2", "--seconds", "3", "--annotator", "robot"]
    assert run(build(), arguments) == 0
    printed = capsys.readouterr().out
    assert "2 images" in printed
    assert "simulated samples" in printed
    (path,) = (tmp_path / "study" / "sessions").glob("*.h5")
    assert len(read_session(path).trials()) == 2


def test_that_a_missing_study_is_a_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build(), ["record", str(tmp_path / "none")]) == 2
    assert run(build(), ["repair", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_that_repair_makes_sessions_of_what_a_crash_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left_by_a_crash(tmp_path / "sessions")
    assert run(build(), ["repair", str(tmp_path)]) == 0
    assert "samples recovered" in capsys.readouterr().out
    (path,) = (tmp_path / "sessions").iterdir()
    assert len(read_session(path).samples) > 200
    assert run(build(), ["repair", str(tmp_path)]) == 0
    assert "Nothing to repair" in capsys.readouterr().out


def test_that_a_journal_beyond_repair_is_named_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.journal").write_bytes(b"no journal at all, but long enough to look at")
    assert run(build(), ["repair", str(tmp_path)]) == 2
    assert "bad.journal: not recovered" in capsys.readouterr().out
    assert (tmp_path / "bad.journal").exists()


def test_that_what_a_crash_left_is_recovered_before_the_next_recording(tmp_path: Path) -> None:
    left_by_a_crash(tmp_path)
    session = RecordSession(tmp_path, TrackerSettings(speed=0))
    session.open()
    (recovered,) = session.recovered
    session.close()
    assert recovered.n_samples > 200
    assert len(list(tmp_path.glob("*.h5"))) == 2
    assert not list(tmp_path.glob("*.journal"))


def test_that_trackers_lists_every_driver(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build(), ["trackers", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    drivers = {one["driver"] for one in found}
    assert {"simulated", "mouse", "tobii", "tobii_titta", "gazepoint", "lsl", "replay"} == drivers
    (simulated,) = [one for one in found if one["driver"] == "simulated"]
    assert simulated["tracker"]["is_simulated"]
