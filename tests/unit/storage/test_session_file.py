from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from domain.display import Display
from domain.errors import BadFileError, NewerVersionError
from domain.gaze import SAMPLE_RECORD, GazeSamples
from domain.markers import Marker
from domain.session import (
    Gap,
    GapCause,
    Notification,
    OnlineFixation,
    SessionHeader,
    SessionRecord,
    TrackerInfo,
)
from storage.session_file import publish_session, read_session, samples_digest, write_session


def record(n: int = 500) -> SessionRecord:
    rows = np.zeros(n, SAMPLE_RECORD)
    rng = np.random.default_rng(1)
    rows["seq"] = np.arange(n)
    rows["time_ns"] = 10**12 + np.arange(n) * 8_333_333
    rows["gaze_norm"] = rng.random((n, 2, 2))
    rows["gaze_norm"][3, 1] = np.nan
    rows["gaze_valid"] = 1
    rows["gaze_valid"][3, 1] = 0
    tracker = TrackerInfo("simulated", rate_hz=120.0, rates_hz=(60.0, 120.0), is_simulated=True)
    header = SessionHeader("s1", "2026-01-01T00:00:00+00:00", 5, "0.1.0", tracker, Display((1920, 1080), (527, 296)))
    return SessionRecord(
        header=header,
        samples=GazeSamples.from_records(rows),
        markers=(Marker("image_onset", {"image_id": "ä"}, 1, 2, 3, 4), Marker("key_press", {"key": "N"}, 9)),
        notifications=(Notification(7, "connection_lost", {"a": [1, 2]}),),
        online_fixations=(OnlineFixation(1, "start", 3, 1, 2, (0.25, 0.5)),),
        gaps=(Gap(1, 2, GapCause.OVERFLOW, 3),),
        time_sync=np.array([[1, 2, 3], [4, 5, 6]], np.int64),
        time_sync_residual_ms=np.array([0.01, -0.02]),
        calibrations=({"data": "00ff"},),
        quality={"loss_left": 0.1},
    )


def test_that_a_session_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    made = record()
    publish_session(path, made)
    read = read_session(path)
    assert read.header == made.header
    for name in ("markers", "notifications", "online_fixations", "gaps", "calibrations", "quality", "ending"):
        assert getattr(read, name) == getattr(made, name)
    assert samples_digest(read.samples) == samples_digest(made.samples)
    np.testing.assert_array_equal(read.samples.to_records()["gaze_norm"], made.samples.to_records()["gaze_norm"])
    np.testing.assert_array_equal(read.time_sync, made.time_sync)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.h5"]


def test_that_an_empty_session_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    made = replace(
        record(5), markers=(), notifications=(), online_fixations=(), gaps=(), time_sync=np.zeros((0, 3), np.int64)
    )
    made = replace(made, samples=GazeSamples.empty(), time_sync_residual_ms=np.zeros(0), calibrations=())
    publish_session(path, made)
    assert len(read_session(path).samples) == 0


def test_that_a_session_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    publish_session(path, record())
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        publish_session(path, record(10))
    assert path.read_bytes() == before


def test_that_plain_h5py_reads_units_and_values(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    write_session(path, record())
    with h5py.File(path) as file:
        gaze = file["gaze/gaze_norm"]
        assert gaze.shape == (500, 2, 2)
        assert "display area" in gaze.attrs["unit"]
        assert bool(file.attrs["simulated"])


def test_that_the_ten_lines_in_the_documentation_read_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "formats" / "session.md").read_text(encoding="utf-8")
    lines = text.split("```python\n")[1].split("```")[0]
    assert len([line for line in lines.splitlines() if line]) <= 10
    write_session(tmp_path / "20260323-101500-1a2b3c4d.h5", record())
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    assert "500 samples" in capsys.readouterr().out


def test_that_altered_gaze_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    write_session(path, record())
    with h5py.File(path, "r+") as file:
        file["gaze/pupil_mm"][7, 0] = 9.0
    with pytest.raises(BadFileError, match="hash"):
        read_session(path)


def test_that_a_newer_session_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    write_session(path, record(5))
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99
    with pytest.raises(NewerVersionError):
        read_session(path)


@pytest.mark.parametrize("kind", ["missing", "text", "truncated", "foreign"])
def test_that_bad_files_are_refused_with_their_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.h5"
    if kind == "text":
        path.write_text("no HDF5")
    elif kind == "truncated":
        write_session(path, record())
        path.write_bytes(path.read_bytes()[:3000])
    elif kind == "foreign":
        with h5py.File(path, "w") as file:
            file["x"] = [1]
    with pytest.raises(BadFileError, match=r"bad\.h5"):
        read_session(path)
