"""Look at the image files of a source: are they whole, how large, which slices and masks belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from domain.errors import BadFileError, BrokenFilesError
from domain.events import CancelToken, OnProgress, Progress
from domain.pixels import ImagePixels
from processing.importer import FoundImage
from storage.dicom_geometry import slice_facts
from storage.file_names import image_id_for
from storage.image_file import is_image_name, read_image, sha256_of, stem_of
from storage.image_readers.dicom import read_dataset
from storage.mask_file import read_mask

_SLICE_NAME = re.compile(r"^(.+)[_-](\d+)$")
_HIDDEN = (".", "__MACOSX", "Thumbs.db")


def image_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """Image files of a folder in natural order; files without an ending, or with a number for it, count where they are
    DICOM.

    Raises:
        BadFileError: no such folder.
    """
    if not folder.is_dir():
        raise BadFileError(f"{folder} is not a folder.", "Choose the folder that holds the images.")
    found = folder.rglob("*") if deep else folder.iterdir()
    files = [
        p for p in found if p.is_file() and not any(part.startswith(_HIDDEN) for part in p.relative_to(folder).parts)
    ]
    chosen = [p for p in files if is_image_name(p.name) or (_may_be_dicom(p) and _is_dicom(p))]
    return sorted(chosen, key=lambda p: natural_key(str(p.relative_to(folder))))


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key by which image 2 comes before image 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.split(r"(\d+)", text) if part]


def scan_images(
    files: Sequence[Path],
    *,
    mask_of: Callable[[Path], Path | None] = lambda _path: None,
    split_of: Callable[[str], str] = lambda _stem: "",
    case_of: Callable[[str], str] = lambda _stem: "",
    skip_broken: bool = False,
    on_progress: OnProgress,
    cancel: CancelToken | None,
) -> tuple[list[FoundImage], list[str]]:
    """All images of the files, and warnings. Each slice of a volume is an image of its own.

    Raises:
        BrokenFilesError: files or masks are broken or of the wrong size, unless `skip_broken`; it names all of them.
    """
    found: list[FoundImage] = []
    broken: list[BadFileError] = []
    used: set[str] = set()
    for number, path in enumerate(files):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(files), path.name))
        try:
            images = _images_in(path, mask_of(path), split_of(stem_of(path)), case_of(stem_of(path)))
        except BadFileError as problem:
            broken.append(problem)
            continue
        for image in images:
            found.append(with_free_id(image, used))
    on_progress(Progress(len(files), len(files)))
    if broken and not skip_broken:
        raise broken_files(broken) from broken[0]
    return found, [f"Left out: {problem.message}" for problem in broken]


def broken_files(problems: Sequence[BadFileError]) -> BrokenFilesError:
    """All that cannot be read of a source as one refusal; the hint is that of the first."""
    hint = f"{problems[0].hint} Or leave such files out with --skip-broken."
    return BrokenFilesError(tuple(problem.message for problem in problems), hint.strip())


def case_from_name(stem: str) -> str:
    """`Prostate3T-01-0001` for `Prostate3T-01-0001_13`: what stands before the slice's number, else nothing."""
    match = _SLICE_NAME.match(stem)
    return match.group(1) if match else ""


def find_mask(path: Path, folders: Iterable[Path]) -> Path | None:
    """The mask of an image: of the same name in a folder of masks, or with `_mask`, `_seg`, `_label` behind it.

    Beside the image itself only names with such an ending count.
    """
    stem = stem_of(path)
    endings = ("_mask", "_seg", "_label", "_segmentation")
    for folder in [*folders, path.parent]:
        for ending in endings if folder == path.parent else ("", *endings):
            for suffix in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".nii.gz", ".nii"):
                candidate = folder / f"{stem}{ending}{suffix}"
                if candidate.is_file():
                    return candidate
    return None


def _images_in(path: Path, mask_path: Path | None, split: str, case: str) -> list[FoundImage]:
    pixels = read_image(path)
    if mask_path is not None:
        _check_mask(mask_path, pixels)
    stem, is_dicom, patient, look, facts = stem_of(path), False, "", False, None
    if pixels.meta.get("Modality") not in (None, "NIfTI") or _is_dicom(path):
        is_dicom = True
        header = read_dataset(path, with_pixels=False)
        facts = slice_facts(header)
        patient = str(header.get("PatientID", "") or "")
        look = needs_a_look(header.get("BurnedInAnnotation"), str(header.get("Modality", "")))
    digest = sha256_of(path)
    single = pixels.n_slices == 1
    case = (case if is_dicom else "") if single else stem
    return [
        FoundImage(
            path=path,
            image_id=image_id_for(stem if single else f"{stem}_{index + 1:03d}"),
            size=pixels.size,
            sha256=digest,
            case=case,
            patient=patient,
            split=split,
            mask_path=mask_path,
            n_slices=pixels.n_slices,
            slice_index=-1 if single else index,
            is_dicom=is_dicom,
            look_for_text=look,
            facts=facts,
        )
        for index in range(pixels.n_slices)
    ]


def needs_a_look(burned_in: object, modality: str) -> bool:
    """Whether text may stand in the pixels: the header says so, or the modality often has it and says nothing."""
    said = str(burned_in or "").upper()
    return said == "YES" or (said != "NO" and modality in ("US", "SC", "XC", "ES", "OT", "XA", "RF"))


def _check_mask(mask_path: Path, pixels: ImagePixels) -> None:
    if mask_path.name.lower().endswith((".nii", ".nii.gz")):
        mask_pixels = read_image(mask_path)
        shape, n_slices = mask_pixels.size, mask_pixels.n_slices
        if n_slices != pixels.n_slices:
            raise BadFileError(f"{mask_path} has {n_slices} slices, its image {pixels.n_slices}.", "Find its mask.")
    else:
        mask, _ = read_mask(mask_path)
        shape = (int(np.shape(mask)[1]), int(np.shape(mask)[0]))
    if shape != pixels.size:
        raise BadFileError(
            f"The mask {mask_path} is {shape[0]} x {shape[1]} pixels, its image {pixels.size[0]} x {pixels.size[1]}.",
            "Find the mask that belongs to the image.",
        )


def with_free_id(image: FoundImage, used: set[str]) -> FoundImage:
    """The image with an id that is not in `used` yet (lower case), and is then."""
    name, number = image.image_id, 2
    while name.lower() in used:  # lower case: some file systems do not tell letters apart
        name, number = f"{image.image_id}-{number}", number + 1
    used.add(name.lower())
    return replace(image, image_id=name)


def _may_be_dicom(path: Path) -> bool:
    # Archives of hospitals name files by UIDs, whose last number looks like an ending. DICOMDIR is a list of files.
    return (not path.suffix or path.suffix[1:].isdigit()) and path.name.upper() != "DICOMDIR"


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(132)[128:] == b"DICM"
