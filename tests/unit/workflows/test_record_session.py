from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acquisition.tracker import TrackerSettings
from domain.errors import TrackerError
from domain.session import SessionRecord
from domain.view import ImageView
from storage.session_file import read_session, samples_digest
from workflows.record_session import RecordSession


def disc(size: tuple[int, int] = (600, 400), centre: tuple[int, int] = (150, 250), radius: int = 70) -> np.ndarray:
    y, x = np.mgrid[: size[1], : size[0]]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


def share_inside(record: SessionRecord, mask: np.ndarray, number: int = 0) -> float:
    trial = record.trials()[number]
    gaze = record.samples_of(trial)
    both = gaze.gaze_valid.all(axis=1)
    xy = trial.views.image_xy(gaze.time_ns[both], gaze.gaze_norm[both].mean(axis=1), record.header.display)
    columns, rows = np.floor(xy).astype(int).T
    inside = (columns >= 0) & (rows >= 0) & (columns < mask.shape[1]) & (rows < mask.shape[0])
    return float(mask[rows[inside], columns[inside]].sum() / len(xy))


def record_once(folder: Path, *, seed: int = 3, seconds: float = 10.0) -> SessionRecord:
    session = RecordSession(folder, TrackerSettings(speed=0, seed=seed), annotator="a")
    session.open()
    view = ImageView.fitted((600, 400), session.display.size_px, margin=0.05)
    session.begin_trial("first", view, mask=disc())
    session.advance(seconds)
    session.press_key("Return")
    session.end_trial()
    session.advance(0.5)
    session.begin_trial("second", view, mask=disc(centre=(450, 120), radius=50))
    session.advance(seconds / 2)
    session.change_view(view.moved((100.0, 50.0), view.zoom * 0.8))
    session.advance(seconds / 2)
    session.end_trial(payload={"outcome": "target"})
    return session.close()


def test_that_a_sitting_with_the_simulated_eye_becomes_a_session_file(tmp_path: Path) -> None:
    record = record_once(tmp_path)
    (path,) = tmp_path.iterdir()
    assert samples_digest(read_session(path).samples) == samples_digest(record.samples)
    first, second = record.trials()
    assert [first.image_id, second.image_id] == ["first", "second"]
    assert first.offset_ns - first.onset_ns == pytest.approx(10e9, rel=1e-6)
    assert len(record.samples_of(first)) == pytest.approx(1200, abs=2)
    assert len(second.views) == 2
    assert second.payload["outcome"] == "target"
    assert np.all(np.diff(record.samples.seq) == 1)
    assert np.all(np.diff(record.samples.time_ns) > 0)
    assert record.header.is_simulated
    assert record.ending == "complete"


def test_that_the_simulated_eye_looks_at_the_target(tmp_path: Path) -> None:
    record = record_once(tmp_path)
    assert share_inside(record, disc()) > 0.6
    assert share_inside(record, disc(centre=(450, 120), radius=50), 1) > 0.5


def test_that_the_same_seed_gives_the_same_gaze(tmp_path: Path) -> None:
    first = record_once(tmp_path / "a", seconds=3.0)
    second = record_once(tmp_path / "b", seconds=3.0)
    other = record_once(tmp_path / "c", seed=4, seconds=3.0)
    np.testing.assert_array_equal(first.samples.gaze_norm, second.samples.gaze_norm)
    assert not np.array_equal(first.samples.gaze_norm, other.samples.gaze_norm)


def test_that_an_unknown_tracker_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, TrackerSettings(driver="nothing"))
    with pytest.raises(Exception, match="simulated"):
        session.open()


def test_that_a_missing_interpreter_is_refused(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, TrackerSettings(), python=str(tmp_path / "no-python"))
    with pytest.raises(TrackerError, match="no-python"):
        session.open()


def test_that_the_time_between_trials_is_not_kept_in_memory(tmp_path: Path) -> None:
    session = RecordSession(tmp_path, TrackerSettings(speed=0))
    session.open()
    for _ in range(60):
        session.advance(1.0)
    held = sum(len(rows) for rows in session._trial._lead) + sum(len(rows) for rows in session._trial._rows)
    assert held <= 3 * 120
    session.begin_trial("image", ImageView.fitted((600, 400), session.display.size_px))
    session.advance(3.0)
    session.end_trial()
    for _ in range(60):
        session.advance(1.0)
    trial, samples = session.last_trial()
    session.close()
    inside = (samples.time_ns >= trial.onset_ns) & (samples.time_ns <= trial.offset_ns)
    assert inside.sum() == pytest.approx(360, abs=1)
    assert sum(len(rows) for rows in session._trial._rows) <= 5 * 120
