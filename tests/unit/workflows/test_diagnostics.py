"""The zip for a bug report holds what is needed and nothing personal."""

from __future__ import annotations

import json
import logging
import zipfile
from pathlib import Path

import pytest

from domain.errors import UserFacingError
from workflows import diagnostics, event_log, scrub
from workflows.doctor import Finding
from workflows.event_log import EventLog, keep_events, words_of_failure
from workflows.user_settings import UserSettings

SECRETS = ("Doe", "Jane", "mueller", "St-Elsewhere", "polyp_0042", "4711081500", "jane.doe", "Gastro Study")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGHTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(scrub, "_own_names", lambda: ("mueller", "St-Elsewhere"))
    monkeypatch.setattr(diagnostics, "examine", lambda: [Finding("System", "good", "Linux on St-Elsewhere")])
    return tmp_path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/mueller/Gastro Study/Doe^Jane.dcm cannot be read.", "<path>.dcm cannot be read."),
        (r"C:\Users\mueller\Gastro Study\a.png is broken", "<path>.png is broken"),
        ("The study has no image 'polyp_0042'.", "The study has no image '...'."),
        ("patient Doe^Jane^^ is there twice", "patient <name> is there twice"),
        ("write to jane.doe@clinic.example today", "write to <mail> today"),
        ("number 4711081500", "number #"),
        ("postgresql://mueller:secret@St-Elsewhere/db refused", "<address> refused"),
        ("the mask is 24 x 32 pixels", "the mask is 24 x 32 pixels"),
        ("12.5 frames/s", "12.5 frames/s"),
        ("/srv/Jane Doe is not a folder.", "<path>"),
        ("/srv/Jane Doe/left eye.png is broken", "<path>.png is broken"),
    ],
)
def test_that_what_may_name_somebody_is_replaced(home: Path, text: str, wanted: str):
    assert scrub.scrub(text) == wanted


def test_that_a_report_holds_no_name_path_image_or_patient(home: Path):
    settings = UserSettings.load()
    settings.annotator, settings.recents = "Jane Doe", ["/home/mueller/Gastro Study"]
    settings.save()
    log = logging.getLogger("workflows.test_of_diagnostics")
    handler = EventLog(event_log.event_log_file())
    log.addHandler(handler)
    try:
        log.warning("%s could not be read by %s", "/home/mueller/Gastro Study/polyp_0042.png", "Jane Doe")
        try:
            raise UserFacingError("/home/mueller/Gastro Study/Doe^Jane.dcm is broken.", "Ask jane.doe@clinic.example.")
        except UserFacingError:
            log.exception("unexpected with 'polyp_0042' of patient 4711081500")
    finally:
        log.removeHandler(handler)
    place = diagnostics.write_diagnostics()
    with zipfile.ZipFile(place) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(parts.values())
    assert [secret for secret in SECRETS if secret.lower() in everything.lower()] == []
    assert set(parts) == {"ABOUT.txt", "doctor.json", "packages.txt", "settings.json", "events.log"}
    assert "%s could not be read by %s" in parts["events.log"]
    assert "UserFacingError" in parts["events.log"]
    assert "test_diagnostics.py" in parts["events.log"]
    assert "numpy" in parts["packages.txt"]
    assert json.loads(parts["settings.json"])["language"] == "en"


def test_that_a_failure_is_told_with_its_cause_and_code_but_without_folders():
    try:
        try:
            raise KeyError("polyp_0042")
        except KeyError as cause:
            raise RuntimeError("no luck") from cause
    except RuntimeError as error:
        lines = words_of_failure(error)
    assert lines[0] == "RuntimeError: no luck"
    assert "KeyError: '...'" in lines
    assert any("tests/unit/workflows/test_diagnostics.py" in line for line in lines)
    assert not any(str(Path(__file__).resolve().parents[3]) in line for line in lines)


def test_that_the_event_log_begins_anew_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_log, "MAX_BYTES", 200)
    handler = EventLog(tmp_path / "events.log")
    for number in range(20):
        handler.handle(logging.LogRecord("storage.x", logging.INFO, "x", 1, f"event {number}", (), None))
    assert (tmp_path / "events.log").stat().st_size < 400
    assert (tmp_path / "events.old.log").exists()


def test_that_other_peoples_loggers_are_not_kept(tmp_path: Path):
    EventLog(tmp_path / "events.log").handle(logging.LogRecord("PIL.x", logging.INFO, "x", 1, "secret", (), None))
    assert not (tmp_path / "events.log").exists()


def test_that_events_are_kept_once(home: Path):
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        keep_events()
        keep_events()
        assert sum(isinstance(handler, EventLog) for handler in root.handlers) == 1
    finally:
        for handler in [h for h in root.handlers if h not in before]:
            root.removeHandler(handler)


def test_that_a_folder_is_refused_as_a_place(home: Path):
    with pytest.raises(UserFacingError, match="is a folder"):
        diagnostics.write_diagnostics(home)
