"""Check that the record of changes is whole, and that the files are still what it says."""

from __future__ import annotations

import json
from dataclasses import dataclass

from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.study import StudyImage
from storage.audit_log import first_break
from storage.image_file import sha256_of
from storage.study import Study


@dataclass(frozen=True)
class AuditReport:
    """How many entries and files were checked, and what is wrong, as sentences."""

    n_entries: int
    n_files: int
    problems: tuple[str, ...]


def verify(study: Study, *, on_progress: OnProgress = no_progress, cancel: CancelToken | None = None) -> AuditReport:
    """Check the chain of the audit log, the masks against it, and the images against their hashes at import."""
    entries = study.audit_entries()
    problems = [text for text in (first_break(entries),) if text]
    written = {entry.subject: json.loads(entry.details).get("sha256") for entry in entries if entry.action == "mask"}
    versions = study.mask_versions()
    images = [image for image in study.images() if _hash_of_file(image)]
    n_all = len(versions) + len(images)
    for number, version in enumerate(versions):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, n_all, version.path))
        subject = f"{version.image_id}/{version.annotator}/{version.target}/{version.version}"
        path = study.folder / version.path
        if written.pop(subject, None) != version.sha256:
            problems.append(f"The catalog's entry of mask {subject} is not what was logged when it was saved.")
        if not path.is_file():
            problems.append(f"{version.path} is missing.")
        elif sha256_of(path) != version.sha256:
            problems.append(f"{version.path} was changed after it was saved.")
    problems += [f"The mask {subject} was logged, and is gone from the catalog." for subject in written]
    seen: set[str] = set()
    for number, image in enumerate(images, start=len(versions)):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, n_all, image.path))
        path = study.absolute(image.path)
        if image.path in seen:
            continue
        seen.add(image.path)
        if not path.is_file():
            problems.append(f"{image.path} is missing.")
        elif sha256_of(path) != _hash_of_file(image):
            problems.append(f"{image.path} is not the file that was imported.")
    on_progress(Progress(n_all, n_all))
    return AuditReport(len(entries), n_all, tuple(problems))


def _hash_of_file(image: StudyImage) -> str:
    """What the file of an image must be; "" where the study does not know, as of DICOM copies of old versions."""
    is_dicom = image.path.lower().endswith((".dcm", ".dicom", ".ima"))
    return image.file_sha256 or ("" if is_dicom else image.sha256)
