"""The preflight that holds for every format: leakage, missing or empty masks, identifiers, targets too small."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from domain.counted import counted
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.study import StudyImage
from processing.export_source import ExportSource
from processing.exporter import Finding
from processing.heatmap import single_fixation_share
from storage.image_file import is_image_name
from storage.image_readers.dicom import read_dataset

_CANVAS_PX = 768  # side of the published canvas that sigma counts on


def common_findings(
    source: ExportSource,
    *,
    needs_masks: bool,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> list[Finding]:
    """What is wrong or worth knowing before an export in any format."""
    images = source.images
    if not images:
        return [Finding("error", "empty", "There is no image to export.")]
    findings = [*_leakage(images), *_missing_files(source), *_identifiers(source)]
    if needs_masks:
        without = tuple(image.image_id for image in images if not source.has_mask(image))
        if without:
            findings.append(
                Finding(
                    "warning", "missing masks", f"{counted(len(without), 'image has', 'images have')} no mask.", without
                )
            )
        findings += _empty_or_small(source, on_progress, cancel)
    return findings


def _leakage(images: list[StudyImage]) -> list[Finding]:
    findings = []
    keys: list[tuple[str, Callable[[StudyImage], str]]] = [
        ("patient or volume", lambda image: image.case),
        ("content", lambda image: f"{image.sha256}/{image.slice_index}" if image.sha256 else ""),
    ]
    for what, key in keys:
        splits: dict[str, set[str]] = defaultdict(set)
        for image in images:
            if key(image):
                splits[key(image)].add(image.split)
        torn = {name for name, found in splits.items() if len(found) > 1}
        if torn:
            where = tuple(image.image_id for image in images if key(image) in torn)
            text = f"{len(torn)} times images of the same {what} are in more than one split (first: {min(torn)[:40]})."
            findings.append(Finding("error", "leakage", text, where))
    return findings


def _missing_files(source: ExportSource) -> list[Finding]:
    lost = tuple(i.image_id for i in source.images if not source.study.absolute(i.path).is_file())
    if not lost:
        return []
    text = f"{len(lost)} image files are not where they were (first: {lost[0]}); repair the paths first."
    return [Finding("error", "missing files", text, lost)]


def _identifiers(source: ExportSource) -> list[Finding]:
    named, marked = [], []
    for image in source.images:
        path = source.study.absolute(image.path)
        if not path.name.lower().endswith(".dcm") and is_image_name(path.name):
            continue
        if not path.is_file():
            continue
        header = read_dataset(path, with_pixels=False)
        if str(header.get("PatientIdentityRemoved", "")) != "YES":
            named.append(image.image_id)
        if str(header.get("BurnedInAnnotation", "")).upper() == "YES":
            marked.append(image.image_id)
    findings = []
    if named:
        text = f"{len(named)} DICOM files still carry identifiers (0012,0062); import them again, with their copy."
        findings.append(Finding("error", "identifiers", text, tuple(named)))
    if marked:
        says = counted(len(marked), "image says", "images say")
        text = f"{says} that text is burnt into the pixels; a person must look."
        findings.append(Finding("warning", "identifiers", text, tuple(marked)))
    return findings


def _empty_or_small(source: ExportSource, on_progress: OnProgress, cancel: CancelToken | None) -> list[Finding]:
    share = source.labels.sigma / _CANVAS_PX
    blob = 0.0
    if source.labels.heatmap_mode == "published":
        blob = single_fixation_share(max(source.labels.thresholds), (share, share))
    empty, small = [], []
    images = [image for image in source.images if source.has_mask(image)]
    if source.options.masks == "gaze":
        return []  # made from gaze: what is empty or small there is told by the labels' own warnings
    for number, image in enumerate(images):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(images), image.image_id))
        mask, _ = source.mask(image)
        if mask is None:
            continue
        if not mask.any():
            empty.append(image.image_id)
        elif mask.mean() < blob and source.reads(image.image_id):
            small.append(image.image_id)
    on_progress(Progress(len(images), len(images)))
    findings = []
    if empty:
        masks = counted(len(empty), "mask is", "masks are")
        text = f"{masks} empty (no target); the format cannot tell that from a forgotten one."
        findings.append(Finding("note", "empties", text, tuple(empty)))
    if small:
        covers = counted(len(small), "target covers", "targets cover")
        text = (
            f"{covers} less than {100 * blob:.1f} % of the image, the blob of one fixation: gaze "
            "maps cannot show such small ones at their size."
        )
        findings.append(Finding("warning", "too small", text, tuple(small)))
    return findings
