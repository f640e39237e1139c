from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from domain.errors import BadFileError, NewerVersionError
from domain.gaze import SAMPLE_RECORD
from storage.journal import JournalEvent, JournalWriter, is_being_written, read_journal


def rows(n: int, first: int = 0) -> np.ndarray:
    made = np.zeros(n, SAMPLE_RECORD)
    made["seq"] = np.arange(first, first + n)
    made["gaze_norm"] = np.random.default_rng(first).random((n, 2, 2))
    return made


def write(path: Path, n_frames: int = 40, *, end: bool = True) -> np.ndarray:
    writer = JournalWriter(path, {"session_id": "s"})
    parts = []
    for number in range(n_frames):
        parts.append(rows(7, 7 * number))
        writer.write_samples(parts[-1])
        writer.write_event(JournalEvent("marker", {"number": number}, bytes([number])))
    writer.close({"reason": "complete"} if end else None)
    return np.concatenate(parts)


def test_that_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    samples = write(path)
    journal = read_journal(path)
    assert journal.samples.tobytes() == samples.tobytes()
    assert [event.values["number"] for event in journal.events] == list(range(40))
    assert [event.blob for event in journal.events] == [bytes([n]) for n in range(40)]
    assert journal.end is not None
    assert journal.end["sha256"] == hashlib.sha256(samples.tobytes()).hexdigest()
    assert journal.n_bytes_valid == journal.n_bytes == path.stat().st_size
    assert journal.header["session_id"] == "s"


def test_that_any_truncation_leaves_a_valid_prefix(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    samples = write(path, 6).tobytes()
    whole = path.read_bytes()
    header_end = whole.index(b"SLF\x1a", 21)
    cut = tmp_path / "cut.journal"
    last = 0
    for length in range(header_end, len(whole)):
        cut.write_bytes(whole[:length])
        journal = read_journal(cut)
        assert samples.startswith(journal.samples.tobytes())
        assert len(journal.samples) >= last
        assert journal.end is None
        last = len(journal.samples)
    assert last == 42


def test_that_a_journal_cut_inside_its_header_is_refused_with_words(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    write(path, 1)
    whole = path.read_bytes()
    for length in (0, 5, 20, 60, whole.index(b"SLF\x1a", 21) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(BadFileError):
            read_journal(path)


def test_that_damage_in_the_middle_costs_only_its_frame_and_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    samples = write(path)
    whole = bytearray(path.read_bytes())
    starts = [at for at in range(len(whole)) if whole[at : at + 4] == b"SLF\x1a"]
    whole[starts[5] + 40] ^= 0xFF
    path.write_bytes(bytes(whole))
    journal = read_journal(path)
    assert journal.n_frames_missing == 1
    assert len(samples) - len(journal.samples) in (0, 7)
    assert journal.end is not None


@pytest.mark.parametrize(
    ("head", "error"),
    [
        pytest.param(b"PK\x03\x04" + bytes(100), BadFileError, id="a zip file"),
        pytest.param(b"SIGHTLINE-JOURNAL\x00\x63\x00" + bytes(100), NewerVersionError, id="format 99"),
    ],
)
def test_that_foreign_files_are_refused(tmp_path: Path, head: bytes, error: type[Exception]) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(head)
    with pytest.raises(error):
        read_journal(path)


def test_that_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    write(path, 1)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        JournalWriter(path, {})
    assert path.read_bytes() == before


def test_that_a_journal_being_written_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    writer = JournalWriter(path, {})
    assert is_being_written(path)
    writer.close({})
    assert not is_being_written(path)


def test_that_a_full_disk_leaves_no_half_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    path = tmp_path / "a.journal"
    writer = JournalWriter(path, {})
    writer.write_samples(rows(3))
    real = os.write

    def half(handle: int, block: bytes) -> int:
        if len(block) < 100:
            raise OSError(28, "No space left on device")
        return real(handle, block[: len(block) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        writer.write_samples(rows(100, 3))
    monkeypatch.setattr(os, "write", real)
    writer.write_samples(rows(100, 3))
    writer.close({"reason": "complete"})
    journal = read_journal(path)
    assert journal.samples["seq"].tolist() == list(range(103))
    assert journal.n_frames_missing == 0
