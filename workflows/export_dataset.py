"""Hand a dataset over: check it, write it beside, and put it in place when it is whole."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from domain.errors import Cancelled, UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.version import VERSION
from processing.export_checks import common_findings
from processing.export_source import ExportSource
from processing.exporter import ExportItem, ExportOptions, Finding, exporters
from storage.atomic_write import as_user_facing
from storage.image_file import sha256_of
from storage.study import Study

MANIFEST = "manifest.json"
_POLL_S = 0.1


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote, or would write. `paths` are relative to the folder."""

    folder: Path
    paths: tuple[str, ...]
    findings: tuple[Finding, ...]
    n_images: int
    n_bytes: int = 0


class PreflightError(UserFacingError):
    """The preflight found something that makes the dataset wrong; nothing was written."""

    def __init__(self, findings: list[Finding]) -> None:
        errors = [finding for finding in findings if finding.level == "error"]
        super().__init__(
            "The export was not made: " + " ".join(finding.text for finding in errors),
            "Mend this in the study, or choose other images or options; `--dry-run` lists all findings.",
        )
        self.findings = findings


def preflight(
    study: Study,
    format_name: str,
    options: ExportOptions | None = None,
    *,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> list[Finding]:
    """What is wrong with, or worth knowing of, the dataset before it is written."""
    return _preflight(ExportSource(study, options or ExportOptions(), cancel=cancel), format_name, on_progress, cancel)


def export(
    study: Study,
    format_name: str,
    folder: Path | str,
    options: ExportOptions | None = None,
    *,
    dry_run: bool = False,
    n_workers: int = 0,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> ExportReport:
    """Write the study in a foreign format into a new folder.

    Raises:
        PreflightError: something makes the dataset wrong; nothing was written.
        UserFacingError: the folder is not empty, the disk is full, a file of the study is broken.
        Cancelled: the user stopped it; nothing is left.
    """
    study.require("export")
    place = Path(folder).expanduser().absolute()
    chosen = options or ExportOptions()
    stop = cancel or CancelToken()
    source = ExportSource(study, chosen, cancel=stop)
    exporter = exporters.get(format_name)
    findings = _preflight(source, format_name, on_progress, stop)
    has_errors = any(finding.level == "error" for finding in findings)
    if has_errors and not dry_run:
        raise PreflightError(findings)
    items = [] if has_errors else exporter.items(source)
    paths = _checked_paths(items)
    if dry_run:
        return ExportReport(place, tuple(paths), tuple(findings), len(source.images))
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UserFacingError(f"{place} is not an empty folder.", "Choose a new folder for the export.")
    beside = place.with_name(f".{place.name}-{uuid.uuid4().hex[:8]}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        _write_all(items, beside, n_workers=n_workers, on_progress=on_progress, cancel=stop)
        n_bytes = _write_manifest(beside, source, format_name, paths, findings, on_progress=on_progress, cancel=stop)
        stop.raise_if_cancelled()
        if place.exists():
            place.rmdir()
        beside.rename(place)
    except OSError as problem:
        raise as_user_facing(problem, place) from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    facts = {"format": format_name, "n_files": len(paths), "manifest_sha256": sha256_of(place / MANIFEST)}
    study.note("export", place.name, facts)
    return ExportReport(place, tuple(paths), tuple(findings), len(source.images), n_bytes)


def _preflight(
    source: ExportSource, format_name: str, on_progress: OnProgress, cancel: CancelToken | None
) -> list[Finding]:
    exporter = exporters.get(format_name)
    findings = common_findings(source, needs_masks=exporter.needs_masks, on_progress=on_progress, cancel=cancel)
    return findings + (exporter.preflight(source) if source.images else [])


def _checked_paths(items: list[ExportItem]) -> list[str]:
    paths = [path for item in items for path in item.paths]
    seen: set[str] = set()
    for path in paths:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or ".." in parts or "\\" in path or path.lower() in seen:
            raise ValueError(f"an exporter gave the path {path!r}, which leads out of its folder or is there twice")
        seen.add(path.lower())
    return paths


def _write_all(
    items: list[ExportItem], folder: Path, *, n_workers: int, on_progress: OnProgress, cancel: CancelToken
) -> None:
    for parent in {(folder / path).parent for item in items for path in item.paths}:
        parent.mkdir(parents=True, exist_ok=True)
    failed = threading.Event()

    def write(item: ExportItem) -> None:
        if cancel.is_cancelled or failed.is_set():
            raise Cancelled
        item.write([folder / path for path in item.paths])

    # Decoding, filtering and encoding run outside Python's lock, so threads use all cores.
    with ThreadPoolExecutor(n_workers or max(2, os.cpu_count() or 2), thread_name_prefix="export") as pool:
        waiting: set[Future[None]] = {pool.submit(write, item) for item in items}
        n_done = 0
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    n_done += 1
                on_progress(Progress(n_done, len(items), "Writing files"))
                cancel.raise_if_cancelled()
        except BaseException:
            failed.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _write_manifest(
    folder: Path,
    source: ExportSource,
    format_name: str,
    paths: list[str],
    findings: list[Finding],
    *,
    on_progress: OnProgress,
    cancel: CancelToken,
) -> int:
    files = []
    for number, path in enumerate(paths):
        cancel.raise_if_cancelled()
        on_progress(Progress(number, len(paths), "Reading back what was written"))
        written = folder / path
        files.append({"path": path, "sha256": sha256_of(written), "bytes": written.stat().st_size})
    splits: dict[str, int] = {}
    for image in source.images:
        splits[image.split] = splits.get(image.split, 0) + 1
    values = {
        "format": format_name,
        "written_by": f"Sightline {VERSION}",
        "written_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "study": {"name": source.study.settings.name, "id": source.study.study_id},
        "target": source.target.name,
        "annotators": source.annotators,
        "is_simulated": any(trial.is_simulated for trial in source.all_reads),
        "labels": source.labels.as_json(),
        "options": source.options.as_json(),
        "n_images": splits,
        "findings": [asdict(finding) for finding in findings],
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return sum(int((folder / path).stat().st_size) for path in paths)


def default_folder(study: Study, format_name: str) -> Path:
    """A new folder among the study's exports, named by time and format."""
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    return study.folder / "exports" / f"{stamp}-{format_name}"


def verify_export(folder: Path | str) -> list[str]:
    """What differs between an export and its manifest, as sentences; nothing where all files are as written."""
    place = Path(folder)
    try:
        values = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        files = [(str(entry["path"]), str(entry["sha256"])) for entry in values["files"]]
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as problem:
        raise UserFacingError(
            f"{place} has no readable {MANIFEST}: {problem}.", "Choose an export's folder."
        ) from problem
    wrong = []
    for path, digest in files:
        file = place / path
        if not file.is_file():
            wrong.append(f"{path} is missing.")
        elif sha256_of(file) != digest:
            wrong.append(f"{path} was changed.")
    return wrong
