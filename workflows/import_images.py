"""Take images, masks and fixations of others into a study: check everything first, then write all or nothing."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.counted import counted
from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.labels import POLYP, PROSTATE, LabelParameters
from domain.study import Protocol, StudyImage, StudySettings, Target, TrialStatus
from domain.trial import TrialRecord
from processing.importer import FoundImage, FoundRead, ImportOptions, ImportPlan, importers
from storage.atomic_write import as_user_facing
from storage.dicom_copy import DicomCopier
from storage.file_names import checked_image_id
from storage.image_file import is_image_name, sha256_of
from storage.mask_file import write_mask
from storage.study import Study
from storage.study_settings_file import read_study_file
from workflows.import_gaze import import_sessions
from workflows.import_stacks import free_stack_names, joining_a_stack, keys_of_stacks
from workflows.stopped_imports import (
    STAGING,
    clear_stopped_imports,
    clear_stopped_studies,
    note_moves,
    owned_name,
)
from workflows.unpack_archive import unpacked

PRESETS: dict[str, LabelParameters] = {"polyp": POLYP, "prostate": PROSTATE}


@dataclass(frozen=True)
class ImportReport:
    """What an import did. `duplicates` maps the name of a file to the image that has the same content."""

    study_folder: Path
    n_images: int = 0
    n_masks: int = 0
    n_reads: int = 0
    n_sessions: int = 0
    n_trials: int = 0
    n_fixations: int = 0
    duplicates: dict[str, str] = field(default_factory=dict)
    look_for_text: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    series_sizes: tuple[int, ...] = ()

    def lines(self, *, dry_run: bool = False) -> list[str]:
        """The report in sentences."""
        verb = "would be added to" if dry_run else "added to"
        counts = (
            f"{counted(self.n_images, 'image', 'images')}, {counted(self.n_masks, 'mask', 'masks')}, "
            f"{counted(self.n_reads, 'read', 'reads')} ({counted(self.n_fixations, 'fixation', 'fixations')})"
        )
        lines = [f"Warning: {text}" for text in self.warnings]
        if self.duplicates:
            first = next(iter(self.duplicates.items()))
            files = counted(len(self.duplicates), "file is", "files are")
            lines.append(f"{files} there already (first: {first[0]} is {first[1]}).")
        if any(size > 1 for size in self.series_sizes):
            lines.append(_words_for_series(self.series_sizes))
        if self.look_for_text:
            images = counted(len(self.look_for_text), "image", "images")
            lines.append(
                f"{images} may have text burnt into the pixels; look before use (first: {self.look_for_text[0]})."
            )
        if self.n_sessions:
            counts = f"{self.n_sessions} gaze sessions with {self.n_trials} trials on images of the study, {counts}"
        return [*lines, f"{counts} {verb} {self.study_folder}"]


def scan(
    format_name: str,
    source: Path | str,
    *,
    options: ImportOptions | None = None,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> ImportPlan:
    """Read and check a source without writing anything."""
    place = Path(source).expanduser().absolute()
    if not place.exists():
        raise UserFacingError(f"{place} is not there.", "Check the path.")
    return importers.get(format_name).scan(place, options or ImportOptions(), on_progress=on_progress, cancel=cancel)


def settings_for(plan: ImportPlan, name: str, *, target: str = "") -> StudySettings:
    """Settings of a study that is made for what was found: targets, and the preset of the first target.

    `target` names what is looked for where the source says nothing of it.
    """
    targets = plan.targets or (Target(target or "target"),)
    return StudySettings(
        name=name,
        targets=targets,
        labels=PRESETS.get(targets[0].name, LabelParameters()),
        protocol=Protocol(reads_per_image=1),
        is_simulated=bool(plan.reads) and all(read.is_simulated for read in plan.reads),
    )


def import_to_folder(
    format_name: str,
    source: Path | str,
    folder: Path | str,
    *,
    options: ImportOptions | None = None,
    name: str = "",
    preset: str = "",
    copy: bool = True,
    dry_run: bool = False,
    on_read: OnProgress = no_progress,
    on_write: OnProgress = no_progress,
    cancel: CancelToken | None = None,
    study: Study | None = None,
) -> ImportReport:
    """Read a source and write it into the study in `folder`, which is made when there is none.

    `study` is the study in that folder where it is open already, by somebody who signed in; it stays open.

    Raises:
        UserFacingError: nothing was changed; a study that was to be made is not there.
    """
    place = Path(folder).expanduser().absolute()
    importers.get(format_name)  # a wrong word is told before anything is looked for
    labels = preset_named(preset) if preset else None
    is_new = not (place / "study.json").exists()
    if not is_new:
        _refuse_other_settings(place, name=name, labels=labels)
    elif place.exists() and not place.is_dir():
        raise UserFacingError(f"{place} is a file.", "A study is a folder: choose one that is new or empty.")
    elif place.exists() and any(place.iterdir()):
        raise UserFacingError(f"{place} is not a study and not empty.", "Choose another folder for the study.")
    origin = Path(source).expanduser().absolute()
    with unpacked(origin, on_progress=on_read, cancel=cancel) as found:
        plan = scan(format_name, found, options=options, on_progress=on_read, cancel=cancel)
        if dry_run:
            return _report(place, list(plan.images), plan, {})
        if not is_new:
            with nullcontext(study) if study is not None else Study.open(place) as existing:
                return import_into(existing, plan, copy=copy or found != origin, on_progress=on_write, cancel=cancel)
        made = settings_for(plan, name or place.name, target=(options or ImportOptions()).target)
        return _import_into_new(
            place,
            plan,
            settings=made if labels is None else replace(made, labels=labels),
            copy=copy or found != origin,
            on_progress=on_write,
            cancel=cancel,
        )


def _refuse_other_settings(place: Path, *, name: str, labels: LabelParameters | None) -> None:
    """A study that is there keeps its name and label settings; others asked for mean that another one was meant."""
    there = read_study_file(place).settings
    if name and name != there.name:
        raise UserFacingError(
            f"{place} holds a study already, named {there.name!r}; it would not become {name!r}.",
            "Leave the name out to add to that study, or choose another folder for a new one.",
        )
    if labels is not None and labels != there.labels:
        raise UserFacingError(
            f"{place} holds a study already, {there.name!r}, with label settings of its own.",
            "Leave the preset out to add to that study, or choose another folder for a new one.",
        )


def _import_into_new(
    place: Path,
    plan: ImportPlan,
    *,
    settings: StudySettings,
    copy: bool,
    on_progress: OnProgress,
    cancel: CancelToken | None,
) -> ImportReport:
    # A new study is made beside and renamed: a failed import leaves no half study.
    clear_stopped_studies(place)
    beside = place.with_name(owned_name(f".{place.name}-"))
    keys = beside.with_name(f"{beside.name}-keys")
    try:
        with Study.create(beside, settings) as study:
            report = import_into(study, plan, copy=copy, on_progress=on_progress, cancel=cancel)
        if place.exists():
            place.rmdir()
        beside.rename(place)
        if keys.exists():
            keys.rename(place.with_name(f"{place.name}-keys"))
    except OSError as problem:
        raise as_user_facing(problem, place) from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(keys, ignore_errors=True)
    return replace(report, study_folder=place)


def preset_named(name: str) -> LabelParameters:
    """Label settings that fit a kind of target.

    Raises:
        UserFacingError: no such preset.
    """
    if name == "own":
        return LabelParameters()
    if name not in PRESETS:
        raise UserFacingError(f"There is no preset {name!r}.", f"Known: {', '.join(PRESETS)}, own.")
    return PRESETS[name]


def import_into(
    study: Study,
    plan: ImportPlan,
    *,
    copy: bool = True,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> ImportReport:
    """Write what a scan found into a study.

    `copy=False` leaves pictures where they are and keeps their absolute paths; DICOM files are always copied, because
    the copy is what identifiers are removed from. Files that the study has already (same bytes) are not taken twice;
    their fixations are added to the image that is there.

    Raises:
        UserFacingError: nothing was changed.
        Cancelled: nothing was changed.
    """
    study.require("import")
    copier = DicomCopier(study.folder)
    new, renamed, duplicates = _without_duplicates(study, plan)
    keys, notes = keys_of_stacks(study, plan.images, renamed, copier)
    stacked = joining_a_stack(study, plan.images, renamed, keys)
    for mask in plan.masks:
        mask.read()  # one that cannot be read is told before anything is entered
    clear_stopped_imports(study)
    staging = study.folder / owned_name(STAGING)
    moved: list[Path] = []
    try:
        staging.mkdir()
        entries, files = _stage(
            study, new, staging, copier=copier, stacks=keys, copy=copy, on_progress=on_progress, cancel=cancel
        )
        note_moves(staging, [final for _, final in files])
        for temporary, final in files:
            final.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(final)
            moved.append(final)
        trials = [_trial(read, renamed.get(read.image_id, read.image_id)) for read in plan.reads]
        if plan.sessions:
            known = {image.image_id: image for image in [*study.images(), *entries]}
            placed = import_sessions(study, plan.sessions, known, moved, on_progress=on_progress, cancel=cancel)
            trials += placed.trials
            notes += placed.warnings
        study.add_import(entries, trials, stacked=stacked)
        moved.clear()  # they belong to images of the study now, whatever comes
        _save_masks(study, plan, renamed)
    except BaseException as problem:
        for path in moved:
            path.unlink(missing_ok=True)
        if isinstance(problem, OSError):
            raise as_user_facing(problem, study.folder) from problem
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    report = _report(study.folder, new, plan, duplicates)
    return replace(report, n_trials=len(trials), warnings=(*plan.warnings, *notes))


def _save_masks(study: Study, plan: ImportPlan, renamed: dict[str, str]) -> None:
    names = {target.name for target in study.settings.targets}
    for mask in plan.masks:
        target = mask.target if mask.target in names else study.settings.targets[0].name
        image_id = renamed.get(mask.image_id, mask.image_id)
        study.save_mask(image_id, mask.annotator, target, mask.read(), origin="import")


def _report(folder: Path, new: list[FoundImage], plan: ImportPlan, duplicates: dict[str, str]) -> ImportReport:
    return ImportReport(
        study_folder=folder,
        n_images=len(new),
        n_masks=sum(image.mask_path is not None or image.read_mask is not None for image in new) + len(plan.masks),
        n_reads=len(plan.reads),
        n_sessions=len(plan.sessions),
        n_fixations=sum(len(read.fixations) for read in plan.reads),
        duplicates=duplicates,
        look_for_text=tuple(image.image_id for image in new if image.look_for_text),
        warnings=plan.warnings,
        series_sizes=plan.series_sizes,
    )


def _words_for_series(sizes: Sequence[int]) -> str:
    shown = [str(size) for size in sizes]
    if len(sizes) > 8:
        return f"{len(sizes)} DICOM series with {min(sizes)} to {max(sizes)} slices."
    many = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    return f"{len(sizes)} DICOM series with {many} slices."


def _without_duplicates(study: Study, plan: ImportPlan) -> tuple[list[FoundImage], dict[str, str], dict[str, str]]:
    known = study.ids_by_hash()
    taken = {image.image_id.lower() for image in study.images()}
    fresh: list[FoundImage] = []
    again: list[FoundImage] = []
    for image in plan.images:
        key = (image.sha256, image.slice_index)
        (again if key in known else fresh).append(image)
        known.setdefault(key, "")
    new: list[FoundImage] = []
    renamed: dict[str, str] = {}
    for image, named in zip(fresh, free_stack_names(fresh, taken), strict=True):
        name, number = named.image_id, 2
        while name.lower() in taken:
            name, number = f"{named.image_id}-{number}", number + 1
        taken.add(name.lower())
        known[image.sha256, image.slice_index] = renamed[image.image_id] = name
        new.append(replace(image, image_id=checked_image_id(name)))
    duplicates: dict[Path, tuple[str, str]] = {}
    for image in again:
        renamed[image.image_id] = known[image.sha256, image.slice_index]
        duplicates.setdefault(image.path, (image.path.name, renamed[image.image_id]))
    # Files of several series have the same names; each counts.
    names = Counter(name for name, _ in duplicates.values())
    shown = {
        name if names[name] == 1 else f"{path.parent.name}/{name}": image_id
        for path, (name, image_id) in duplicates.items()
    }
    return new, renamed, shown


def _stage(
    study: Study,
    images: list[FoundImage],
    staging: Path,
    *,
    copier: DicomCopier,
    stacks: Mapping[str, str],
    copy: bool,
    on_progress: OnProgress,
    cancel: CancelToken | None,
) -> tuple[list[StudyImage], list[tuple[Path, Path]]]:
    staged: dict[Path, str] = {}
    files: list[tuple[Path, Path]] = []

    def keep(source: Path, folder: str, name: str, writer: Callable[[Path, Path], object]) -> str:
        if source not in staged:
            temporary, final = staging / folder / name, study.folder / folder / name
            if final.exists():
                final = final.with_name(f"{uuid.uuid4().hex[:6]}-{final.name}")
            temporary.parent.mkdir(exist_ok=True)
            writer(source, temporary)
            files.append((temporary, final))
            staged[source] = study.relative(final)
        return staged[source]

    entries = []
    copies: dict[str, str] = {}
    for number, image in enumerate(images):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(images), image.image_id))
        ending = "".join(image.path.suffixes[-2:]) if image.path.name.endswith(".nii.gz") else image.path.suffix
        base = image.image_id if image.slice_index < 0 else image.case or image.image_id
        if image.is_dicom and not is_image_name(image.path.name):
            ending = ".dcm"
        name = checked_image_id(base) + ending.lower()
        path, mask_path, case = image.path.as_posix(), "", image.case
        if image.is_dicom:
            path = keep(image.path, "images", name, copier.copy)
            if path not in copies:
                copies[path] = sha256_of(files[-1][0])
            case = case or copier.pseudonym(image.patient)
        elif copy:
            path = keep(image.path, "images", name, shutil.copyfile)
        if image.mask_path is not None:
            mask_ending = ".nii.gz" if image.mask_path.name.endswith(".nii.gz") else image.mask_path.suffix.lower()
            mask_path = image.mask_path.as_posix()
            if copy:
                mask_path = keep(image.mask_path, "reference", f"{base}{mask_ending}", shutil.copyfile)
        elif image.read_mask is not None:
            mask_path = keep(
                Path(f"mask of {image.image_id}"), "reference", f"{image.image_id}.png", partial(_draw, image.read_mask)
            )
        entries.append(
            StudyImage(
                image_id=image.image_id,
                path=path,
                size=image.size,
                sha256=image.sha256,
                case=case,
                split=image.split,
                n_slices=1,
                mask_path=mask_path,
                origin=image.path.name,
                slice_index=image.slice_index,
                stack=stacks.get(image.stack, ""),
                stack_position=image.stack_position,
                file_sha256=copies.get(path, ""),
            )
        )
    copier.write_key_file()
    on_progress(Progress(len(images), len(images)))
    return entries, files


def _draw(read: Callable[[], NDArray[np.bool_]], _source: Path, target: Path) -> None:
    write_mask(target, read(), {})


def _trial(read: FoundRead, image_id: str) -> TrialRecord:
    fixations = read.fixations
    end_ms = float((fixations.start_ms + fixations.duration_ms).max()) if len(fixations) else 0.0
    return TrialRecord(
        trial_id=uuid.uuid4().hex,
        image_id=image_id,
        annotator=read.annotator,
        target=read.target,
        outcome=read.outcome,
        status=TrialStatus.DONE,
        ended_ns=round(end_ms * 1e6),
        fixations=fixations,
        is_simulated=read.is_simulated,
        note="imported",
    )
