"""Set a study up and keep it in order: settings, duplicates, files that moved, the place of the catalog."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.labels import LabelParameters
from domain.study import Protocol, StudyImage, StudySettings, Target
from storage.catalog_move import copy_catalog
from storage.image_file import sha256_of
from storage.study import Study
from workflows.import_images import preset_named
from workflows.targets import COLOURS


@dataclass(frozen=True)
class PathRepair:
    """What looking for lost files found: new places by image id, and those still lost."""

    found: dict[str, Path]
    lost: tuple[str, ...]


def new_settings(
    name: str,
    targets: list[str],
    *,
    preset: str = "",
    sigma: float | None = None,
    thresholds: tuple[float, ...] = (),
    reads_per_image: int = 1,
    order_seed: int = 1,
) -> StudySettings:
    """Settings from what an admin says; the preset of the first target fills what is not said.

    Raises:
        UserFacingError: no target, the same twice, or figures out of range.
    """
    names = [target.strip() for target in targets if target.strip()]
    if not names or len(set(names)) != len(names):
        raise UserFacingError("A study needs one or more targets of different names.", "Example: --target polyp")
    known = preset or (names[0] if names[0] in ("polyp", "prostate") else "own")
    labels = preset_named(known)
    try:
        labels = replace(labels, sigma=sigma or labels.sigma, thresholds=thresholds or labels.thresholds)
    except ValueError as problem:
        raise UserFacingError(f"{problem}.", "Thresholds lie between 0 and 1, sigma above 0.") from problem
    if reads_per_image < 1:
        raise UserFacingError(f"{reads_per_image} reads per image cannot be.", "Use 1 or more.")
    return StudySettings(
        name=name,
        targets=tuple(Target(n, i, COLOURS[(i - 1) % len(COLOURS)]) for i, n in enumerate(names, start=1)),
        labels=labels,
        protocol=Protocol(reads_per_image=reads_per_image, order_seed=order_seed),
    )


def with_labels(study: Study, labels: LabelParameters) -> None:
    """Change how the study makes labels."""
    study.update_settings(replace(study.settings, labels=labels))


def duplicates(study: Study) -> list[list[str]]:
    """Groups of images whose files have the same bytes."""
    groups: dict[tuple[str, int], list[str]] = defaultdict(list)
    for image in study.images():
        if image.sha256:
            groups[image.sha256, image.slice_index].append(image.image_id)
    return [group for group in groups.values() if len(group) > 1]


def missing_files(study: Study) -> list[StudyImage]:
    """Images whose file is not where the catalog says."""
    return [image for image in study.images() if not study.absolute(image.path).is_file()]


def repair_paths(
    study: Study,
    folder: Path | str,
    *,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> PathRepair:
    """Find lost image files under a folder and point the study at them, all at once.

    A file counts as found where its bytes are those that were imported. Where one lost file is found, its siblings
    are looked for at the same place relative to it first, so that a moved folder of thousands is repaired at once.

    Raises:
        UserFacingError: no such folder.
    """
    study.require("import")
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise UserFacingError(f"{root} is not a folder.", "Choose the folder in which the images are now.")
    lost = missing_files(study)
    by_name: dict[str, list[Path]] = defaultdict(list)
    if lost or any(_is_lost(study, image.mask_path) for image in study.images()):
        for path in root.rglob("*"):
            if path.is_file():
                by_name[path.name].append(path)
    found: dict[str, Path] = {}
    moved: dict[Path, Path] = {}
    for number, image in enumerate(lost):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(lost), image.image_id))
        old = study.absolute(image.path)
        beside = [new / old.name for gone, new in moved.items() if gone == old.parent]
        for candidate in [*beside, *by_name.get(old.name, []), *by_name.get(image.origin, [])]:
            if candidate.is_file() and _is_the_file(candidate, image):
                found[image.image_id] = candidate
                moved[old.parent] = candidate.parent
                break
    changed = {
        image.image_id: replace(image, path=study.relative(found[image.image_id]))
        for image in lost
        if image.image_id in found
    }
    for image in study.images():
        mask = _moved_mask(study, image, root, by_name)
        if mask is not None:
            changed[image.image_id] = replace(changed.get(image.image_id, image), mask_path=study.relative(mask))
    if changed:
        study.update_images(list(changed.values()), "paths repaired")
    on_progress(Progress(len(lost), len(lost)))
    return PathRepair(found, tuple(image.image_id for image in lost if image.image_id not in found))


def _is_the_file(candidate: Path, image: StudyImage) -> bool:
    # A DICOM copy has other bytes than the file it was made from, which is no stand-in: it names the patient.
    wanted = image.file_sha256 or image.sha256
    return not wanted or sha256_of(candidate) == wanted


def _is_lost(study: Study, path: str) -> bool:
    return bool(path) and not study.absolute(path).is_file()


def _moved_mask(study: Study, image: StudyImage, root: Path, by_name: dict[str, list[Path]]) -> Path | None:
    """Where a lost reference mask is now: the one of its name in a folder of its folder's name, or the only one."""
    if not _is_lost(study, image.mask_path):
        return None
    old = Path(image.mask_path)
    same = by_name.get(old.name, [])
    beside = [path for path in same if path.parent.name == old.parent.name]
    likely = beside or [path for path in same if path != study.absolute(image.path)]
    return likely[0] if len(likely) == 1 else None


def set_splits(study: Study, splits: dict[str, str]) -> int:
    """Decide what images are for; returns how many changed.

    Raises:
        UserFacingError: an unknown split.
    """
    wrong = next((split for split in splits.values() if split not in ("train", "val", "test", "")), None)
    if wrong is not None:
        raise UserFacingError(f"There is no split {wrong!r}.", "Use train, val, test or nothing.")
    changed = [
        replace(image, split=splits[image.image_id])
        for image in study.images()
        if image.image_id in splits and image.split != splits[image.image_id]
    ]
    if changed:
        study.update_images(changed, "splits changed")
    return len(changed)


def move_catalog(study: Study, url: str) -> int:
    """Copy the whole catalog to another database and use it from now on; returns the number of rows.

    `url` is `postgresql+psycopg://...` to share the study, or "" to go back to the file in the study folder. The old
    catalog stays as it is. Nobody may work in the study meanwhile.

    Raises:
        UserFacingError: the other database cannot be reached or holds another study's catalog.
    """
    study.require("settings")
    if url == study.catalog_url:
        raise UserFacingError("The catalog is there already.", "")
    if url and not url.startswith("postgresql+psycopg://"):
        raise UserFacingError(
            f"{url.split('@')[-1]!r} is no place for a catalog.", "Use postgresql+psycopg://user@server/database"
        )
    n_rows = copy_catalog(study, url)
    study.use_catalog(url)
    study.note("catalog moved", "postgresql" if url else "file", {"n_rows": n_rows})
    return n_rows
