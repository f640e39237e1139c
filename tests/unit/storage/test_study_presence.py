"""Who has a study open: told by files that also work on shared folders, and do not outlive their programs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.study_presence import FOLDER, STALE_S, StudyPresence


def files(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*.json")) if (folder / FOLDER).exists() else []


def test_that_two_windows_see_each_other_until_one_leaves(tmp_path: Path) -> None:
    one, two = StudyPresence(tmp_path, "anna"), StudyPresence(tmp_path, "ben", host="ward-2", process_id=7)
    assert one.beat() == []
    assert [(other.person, other.process_id) for other in two.beat()] == [("anna", os.getpid())]
    assert [(other.person, other.host) for other in one.beat()] == [("ben", "ward-2")]
    two.leave()
    assert two.beat() == [], "who left says nothing any more"
    assert one.beat() == []
    one.leave()
    assert not (tmp_path / FOLDER).exists()


def test_that_a_file_nobody_writes_any_more_is_stale_whatever_the_clocks_say(tmp_path: Path) -> None:
    one, gone = StudyPresence(tmp_path, "anna"), StudyPresence(tmp_path, "ben", host="ward-2", process_id=7)
    gone.beat()
    (path,) = files(tmp_path)
    fresh_s = time.time() - STALE_S / 2
    os.utime(path, (fresh_s, fresh_s))
    assert len(one.beat()) == 1
    old_s = time.time() - STALE_S - 5
    os.utime(path, (old_s, old_s))
    assert one.beat() == []
    assert path not in files(tmp_path)
    assert len(gone.beat()) == 1, "it was only asleep, and is there again"
    assert len(one.beat()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows only the age of a file tells")
def test_that_a_killed_program_of_this_machine_is_known_at_once(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    StudyPresence(tmp_path, "ben", process_id=ended.pid).beat()
    assert StudyPresence(tmp_path, "anna").beat() == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"host": 1}', b"\xff\xfe"])
def test_that_half_a_file_harms_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "x.json").write_bytes(content)
    assert StudyPresence(tmp_path, "anna").beat() == []


def test_that_a_folder_that_cannot_be_written_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    presence = StudyPresence(tmp_path, "anna")
    assert presence.beat() == []
    presence.leave()
