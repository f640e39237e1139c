from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from benchmarks.known_gaze import PLANE, look_at
from calibration.staleness import age_words, stale_reasons
from calibration.validation import point_quality, validate
from domain.calibration import CalibrationRecord, Eyes, Surroundings
from domain.errors import BadFileError, NewerVersionError
from domain.gaze import GazeSamples
from storage.calibration_file import CalibrationStore, read_calibration, write_calibration

HERE = Surroundings(
    "IS5FF-1", "Tobii Pro Spark", "DP-1", "ABC", (1920, 1080), 1.0, (527.0, 296.0), 640.0, "anna", PLANE.numbers()
)
NOW = datetime(2026, 5, 4, 10, 0, tzinfo=timezone.utc)


def record(**changes: object) -> CalibrationRecord:
    points = [q for p in ((0.3, 0.3), (0.7, 0.7)) for q in point_quality(look_at(p), p, PLANE)]
    points += point_quality(GazeSamples.empty(), (0.5, 0.8), PLANE)
    made = CalibrationRecord(
        blob=bytes(range(256)),
        surroundings=HERE,
        made_at="2026-05-04T09:30:00+00:00",
        profile="adult",
        points=((0.5, 0.5), (0.1, 0.1)),
        eyes=Eyes.BOTH,
        validation=validate(points),
        override_reason="only one eye",
        software="0.1.0",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_that_a_calibration_comes_back_as_it_was_written(tmp_path: Path) -> None:
    before = record()
    write_calibration(tmp_path / "a.calibration.json", before)
    after = read_calibration(tmp_path / "a.calibration.json")
    assert after.blob == before.blob
    assert str(after) == str(before)
    assert after.eyes is Eyes.BOTH


def test_that_a_calibration_without_validation_or_data_comes_back(tmp_path: Path) -> None:
    write_calibration(tmp_path / "a.calibration.json", record(validation=None, blob=b""))
    after = read_calibration(tmp_path / "a.calibration.json")
    assert after.validation is None
    assert after.blob == b""


def spoiled(text: str, how: str) -> str:
    values = json.loads(text)
    if how == "blob":
        values["blob"] = values["blob"].replace("AA", "AB", 1)
    elif how == "hash":
        values["sha256"] = "0" * 64
    elif how == "base64":
        values["blob"] = "!!"
    elif how == "foreign":
        values["format"] = "something else"
    elif how == "field":
        values["record"]["surprise"] = 1
    elif how == "missing":
        del values["record"]["surroundings"]
    elif how == "list":
        return "[]"
    elif how == "truncated":
        return text[: len(text) // 2]
    return json.dumps(values)


@pytest.mark.parametrize("how", ["blob", "hash", "base64", "foreign", "field", "missing", "list", "truncated"])
def test_that_a_damaged_file_is_refused_and_named(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.calibration.json"
    write_calibration(path, record())
    path.write_text(spoiled(path.read_text(encoding="utf-8"), how), encoding="utf-8")
    with pytest.raises(BadFileError, match=r"a\.calibration\.json"):
        read_calibration(path)


def test_that_a_missing_and_a_newer_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="cannot be read"):
        read_calibration(tmp_path / "none.json")
    path = tmp_path / "a.calibration.json"
    write_calibration(path, record())
    path.write_text(path.read_text(encoding="utf-8").replace('"version": 1', '"version": 2'), encoding="utf-8")
    with pytest.raises(NewerVersionError):
        read_calibration(path)


def test_that_the_store_gives_the_newest_of_this_person_and_tracker_and_overwrites_nothing(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path / "calibrations")
    assert store.newest("anna", "IS5FF-1") is None
    first = store.add(record(made_at="2026-05-04T08:00:00+00:00", profile="child"))
    second = store.add(record())
    again = store.add(record())
    other = store.add(record(surroundings=replace(HERE, annotator="ben"), made_at="2026-05-04T11:00:00+00:00"))
    assert len({first, second, again, other}) == 4
    newest = store.newest("anna", "IS5FF-1")
    assert newest is not None
    assert newest.profile == "adult"
    for path in (second, again):
        path.write_text("broken", encoding="utf-8")
    newest = store.newest("anna", "IS5FF-1")
    assert newest is not None
    assert newest.profile == "child"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({}, "", id="fits"),
        pytest.param({"tracker_serial": "X"}, "another tracker", id="tracker"),
        pytest.param({"screen_name": "HDMI-1"}, "another screen", id="screen"),
        pytest.param({"screen_px": (2560, 1440)}, "1920 × 1080 pixels then and has 2560 × 1440", id="pixels"),
        pytest.param({"screen_scale": 1.5}, "was 100% then and is 150% now", id="scaling"),
        pytest.param({"screen_mm": (600.0, 340.0)}, "527 × 296 mm then and is 600 × 340", id="size"),
        pytest.param({"screen_mm": (528.0, 297.0)}, "", id="size measured twice"),
        pytest.param({"display_area_mm": tuple(v + 9 for v in PLANE.numbers())}, "another display area", id="area"),
        pytest.param({"distance_mm": 760.0}, "64 cm then and is 76 cm now", id="distance"),
        pytest.param({"distance_mm": 700.0}, "", id="distance within reach"),
        pytest.param({"annotator": "ben"}, "belongs to anna, not to ben", id="annotator"),
    ],
)
def test_that_a_stale_calibration_is_refused_with_the_reason(change: dict[str, object], words: str) -> None:
    reasons = stale_reasons(record(), replace(HERE, **change), at=NOW)  # type: ignore[arg-type]
    assert words in reasons[0] if words else not reasons, reasons


def test_that_age_makes_stale() -> None:
    assert stale_reasons(record(), HERE, at=NOW + timedelta(hours=11)) == ()
    assert "14 h old" in stale_reasons(record(), HERE, at=NOW + timedelta(hours=13))[0]
    assert "future" in stale_reasons(record(), HERE, at=NOW - timedelta(days=1))[0]
    assert age_words(timedelta(seconds=20)) == "less than a minute"
    assert age_words(timedelta(minutes=25)) == "25 min"
    assert age_words(timedelta(days=3)) == "3 days"
