"""Write beside, then replace: the last good file stays until the new one is whole."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from domain.errors import StorageFullError, UserFacingError

TEMPORARY_PREFIX = ".sightline-"


@contextmanager
def write_atomically(path: Path | str, suffix: str = "") -> Iterator[Path]:
    """Give a temporary path in the same folder that replaces `path` when the block ends well.

    `suffix` is kept at the temporary name's end, for writers that look at it; it defaults to the target's own.

    Raises:
        StorageFullError: the disk is full; the old file is untouched.
        UserFacingError: the folder cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}{suffix or target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as problem:
        raise as_user_facing(problem, target) from problem
    finally:
        with suppress(OSError):  # a read-only disk refuses this as well, and must not hide why the writing failed
            temporary.unlink(missing_ok=True)


def write_text_atomically(path: Path | str, text: str) -> None:
    """Replace a UTF-8 text file as a whole."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes_atomically(path: Path | str, content: bytes) -> None:
    """Replace a file as a whole."""
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)


def as_user_facing(problem: OSError, path: Path) -> UserFacingError:
    """The operating system's complaint about writing `path`, in words."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC):
        return StorageFullError(
            f"The disk is full; {path} was not written.", "Make room on this disk and try again; nothing was lost."
        )
    reason = problem.strerror or str(problem)
    return UserFacingError(f"{path} could not be written: {reason}.", "Check the folder's permissions and free space.")


def _sync_folder(folder: Path) -> None:
    # A rename is durable only once its directory is; Windows has no directory handles to sync.
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems refuse it
        return
    finally:
        os.close(handle)
