"""Masks of a whole series: DICOM segmentations by the images they name, NIfTI masks by their place in the patient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError
from domain.study import Target
from processing.image_scan import broken_files
from processing.importer import FoundImage, FoundMask
from storage.dicom_geometry import affine_of
from storage.dicom_segmentation_read import ReadSegmentation, read_segmentation
from storage.image_readers.nifti import read_affine, read_voxels

NEAR_VOXELS = 0.25
"""How far, in voxels, corners of two grids may lie apart to count as the same grid."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskedImages:
    """Images with their reference masks; masks of several targets stand beside them. unplaced: files of no image."""

    images: tuple[FoundImage, ...]
    masks: tuple[FoundMask, ...] = ()
    targets: tuple[Target, ...] = ()
    warnings: tuple[str, ...] = ()
    unplaced: tuple[Path, ...] = ()


def with_segmentation(images: Sequence[FoundImage], path: Path) -> MaskedImages:
    """The images that a DICOM segmentation names get its mask: as reference, or per target where it has several.

    Images that it names without a frame have an empty mask.

    Raises:
        BadFileError: the segmentation is damaged.
    """
    found = read_segmentation(path)
    if found is None:
        return MaskedImages(tuple(images), warnings=(f"{path.name} is no BINARY segmentation; it was left out.",))
    mine = {n for n, image in enumerate(images) if image.facts is not None and image.facts.sop_uid in found.covers}
    odd = [n for n in mine if not _fits(images[n], found)]
    if not mine or odd:
        return MaskedImages(tuple(images), unplaced=(path,))
    if len(found.labels) == 1:
        (number,) = found.labels
        placed = [replace(i, read_mask=_plane(found, number, i)) if n in mine else i for n, i in enumerate(images)]
        return MaskedImages(tuple(placed))
    names = {number: label.strip() or f"segment {number}" for number, label in found.labels.items()}
    masks = [
        FoundMask(images[n].image_id, name, _plane(found, number, images[n]))
        for number, name in sorted(names.items())
        for n in sorted(mine)
    ]
    targets = tuple(Target(name, n) for n, name in enumerate(dict.fromkeys(names[k] for k in sorted(names)), start=1))
    return MaskedImages(tuple(images), tuple(masks), targets)


def with_nifti_mask(images: Sequence[FoundImage], path: Path) -> MaskedImages:
    """The slices of the series that lies on the grid of a NIfTI mask get it as reference.

    Raises:
        BadFileError: the file is damaged.
    """
    stacks: dict[str, list[int]] = defaultdict(list)
    for number, image in enumerate(images):
        if image.stack and image.facts is not None:
            stacks[image.stack].append(number)
    mask: Mask | None = None
    for numbers in stacks.values():
        numbers.sort(key=lambda number: images[number].stack_position)
        affine = affine_of([facts for n in numbers if (facts := images[n].facts) is not None])
        if affine is None:
            continue
        if mask is None:
            mask = np.asarray(read_voxels(path), np.float32) > 0
        turned = on_grid(mask, read_affine(path), affine, (*images[numbers[0]].size, len(numbers)))
        if turned is not None:
            placed = {n: partial(np.asarray, turned[:, :, at].T) for at, n in enumerate(numbers)}
            return MaskedImages(
                tuple(replace(i, read_mask=placed[n]) if n in placed else i for n, i in enumerate(images))
            )
    return MaskedImages(tuple(images), unplaced=(path,))


def on_grid(
    mask: Mask, affine: NDArray[np.float64], wanted: NDArray[np.float64], shape: tuple[int, int, int]
) -> Mask | None:
    """A mask turned and mirrored onto another grid of the same voxels; None where the grids differ.

    affine, wanted: 4 x 4, voxels to millimetres, of the mask and of the grid it is wanted on. shape: of that grid.
    """
    if abs(np.linalg.det(affine)) < 1e-12:
        return None
    between = np.linalg.inv(affine) @ wanted  # voxels of the wanted grid to voxels of the mask
    turn, shift = np.rint(between[:3, :3]), np.rint(between[:3, 3])
    if not np.array_equal(np.abs(turn).sum(0), [1, 1, 1]) or not np.array_equal(np.abs(turn).sum(1), [1, 1, 1]):
        return None
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij"), np.float64).reshape(3, -1)
    exact = between[:3, :3] @ corners + between[:3, 3:]
    if np.abs(exact - (turn @ corners + shift[:, None])).max() > NEAR_VOXELS:
        return None
    axes = np.abs(turn).argmax(1)  # which axis of the wanted grid runs along each axis of the mask
    indices = [int(turn[a, axes[a]]) * np.arange(shape[axes[a]]) + int(shift[a]) for a in range(3)]
    if any(index.min() < 0 or index.max() >= mask.shape[a] for a, index in enumerate(indices)):
        return None
    return np.transpose(mask[np.ix_(*indices)], np.argsort(axes))


def _fits(image: FoundImage, found: ReadSegmentation) -> bool:
    planes = [plane for frames in found.planes.values() for plane in frames.values()]
    return all(plane.shape == (image.size[1], image.size[0]) for plane in planes[:1])


def _plane(found: ReadSegmentation, number: int, image: FoundImage) -> Callable[[], Mask]:
    uid = image.facts.sop_uid if image.facts is not None else ""
    plane = found.planes[number].get((uid, max(image.slice_index, 0) + 1))
    empty = np.zeros((image.size[1], image.size[0]), np.bool_)
    return partial(np.asarray, empty if plane is None else plane)


def with_masks(images: Sequence[FoundImage], files: Sequence[Path], *, skip_broken: bool) -> MaskedImages:
    """The images with all masks of whole series that lie beside them; what belongs to none is told.

    Raises:
        BrokenFilesError: files are damaged, unless `skip_broken`.
    """
    result = MaskedImages(tuple(images))
    broken: list[BadFileError] = []
    for path in files:
        is_nifti = path.name.lower().endswith((".nii", ".nii.gz"))
        try:
            more = (with_nifti_mask if is_nifti else with_segmentation)(result.images, path)
        except BadFileError as problem:
            broken.append(problem)
            more = MaskedImages(result.images, warnings=(f"Left out: {problem.message}",))
        result = MaskedImages(
            more.images,
            result.masks + more.masks,
            result.targets or more.targets,
            result.warnings + more.warnings,
            result.unplaced + more.unplaced,
        )
    if broken and not skip_broken:
        raise broken_files(broken) from broken[0]
    if not result.unplaced:
        return result
    n, first = len(result.unplaced), result.unplaced[0].name
    text = f"{n} mask files lie on no image that is imported (first: {first}); they were left out."
    return replace(result, warnings=(*result.warnings, text))
