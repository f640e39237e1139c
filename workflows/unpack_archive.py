"""Archives as sources of an import: unpacked into a temporary folder, nothing outside it, nothing too large."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from domain.errors import BadFileError, StorageFullError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from storage.atomic_write import as_user_facing

_RESERVE_BYTES = 500_000_000
# Real images and tables shrink by tens at most; only an archive made to fill a disk shrinks by hundreds.
SUSPICIOUS_RATIO = 300
SUSPICIOUS_BYTES = 1_000_000_000
MOST_MEMBERS = 2_000_000


@contextmanager
def unpacked(
    source: Path, *, on_progress: OnProgress = no_progress, cancel: CancelToken | None = None
) -> Iterator[Path]:
    """The source itself, or the folder in which a .zip lies unpacked while the block runs.

    Raises:
        BadFileError: a damaged archive, or one whose names lead out of its folder.
        StorageFullError: it would fill the disk.
    """
    if source.suffix.lower() != ".zip" or not source.is_file():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="sightline-import-") as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(source) as archive:
                _unpack(archive, source, folder, on_progress, cancel)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, IndexError) as problem:
            raise BadFileError(f"{source} cannot be unpacked: {problem}.", "Download or copy it again.") from problem
        except OSError as problem:
            raise as_user_facing(problem, folder) from problem
        inner = [path for path in folder.iterdir() if path.name != "__MACOSX"]
        # Most archives hold one folder in which everything lies.
        yield inner[0] if len(inner) == 1 and inner[0].is_dir() and inner[0].name != "images" else folder


def _unpack(
    archive: zipfile.ZipFile, source: Path, folder: Path, on_progress: OnProgress, cancel: CancelToken | None
) -> None:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if parts.is_absolute() or ".." in parts.parts or ":" in member.filename or is_link:
            raise BadFileError(
                f"{source} holds a name that leads out of its folder: {member.filename[:80]!r}.",
                "Do not use this archive.",
            )
    needed = sum(member.file_size for member in members)
    is_bomb = needed > SUSPICIOUS_BYTES and needed > SUSPICIOUS_RATIO * max(1, source.stat().st_size)
    if is_bomb or len(members) > MOST_MEMBERS:
        packed_mb = source.stat().st_size / 1e6
        raise BadFileError(
            f"{source} ({packed_mb:.1f} MB) would become {needed / 1e9:.1f} GB in {len(members)} files: it looks as if "
            "it were made to fill a disk.",
            "If you trust it, unpack it yourself and import the folder.",
        )
    if needed + _RESERVE_BYTES > shutil.disk_usage(folder).free:
        raise StorageFullError(
            f"{source} needs {needed / 1e9:.1f} GB unpacked, more than is free.", "Make room, or unpack it elsewhere."
        )
    written = 0
    for number, member in enumerate(members):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(members), member.filename[-40:]))
        target = folder / PurePosixPath(member.filename.replace("\\", "/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as packed, target.open("wb") as opened:
            while block := packed.read(1 << 20):
                written += len(block)
                if written > needed:
                    raise BadFileError(f"{source} holds more than it says.", "Do not use this archive.")
                opened.write(block)
