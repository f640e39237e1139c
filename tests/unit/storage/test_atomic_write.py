"""Files are replaced as a whole, and a failure is told in words."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from domain.errors import StorageFullError, UserFacingError
from storage.atomic_write import write_atomically, write_text_atomically


def fail(number: int) -> None:
    raise OSError(number, "planted")


def test_that_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path):
    path = tmp_path / "one.txt"
    write_text_atomically(path, "old")
    with pytest.raises(ValueError), write_atomically(path) as temporary:  # noqa: PT012 - the write must have begun
        temporary.write_text("new")
        raise ValueError
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["one.txt"]


def test_that_a_full_disk_is_told_in_words(tmp_path: Path):
    with pytest.raises(StorageFullError, match="full"), write_atomically(tmp_path / "one.txt"):
        fail(errno.ENOSPC)


def test_that_a_read_only_disk_is_told_in_words_although_nothing_can_be_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Path, "unlink", lambda _path, missing_ok=False: fail(errno.EROFS))
    with pytest.raises(UserFacingError, match="could not be written"), write_atomically(tmp_path / "one.txt"):
        fail(errno.EROFS)
