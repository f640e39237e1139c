"""A folder of pictures, DICOM files or NIfTI volumes, with masks in `masks/` or named `..._mask`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress, Progress
from domain.study import Target
from processing.image_scan import find_mask, image_files, scan_images
from processing.importer import ImportOptions, ImportPlan, importers
from processing.series_masks import with_masks
from processing.series_scan import in_stacks
from processing.split_files import read_splits
from storage.dicom_segmentation_read import SEGMENTATION, has_no_picture, sop_class_of
from storage.image_file import stem_of

_MASK_NAME = re.compile(r"[_-](mask|seg|label|segmentation|groundtruth)$", re.IGNORECASE)
_MASK_FOLDERS = ("masks", "labels", "labelsTr", "segmentations", "ground_truth")
_IMAGE_FOLDERS = ("images", "imagesTr")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


class FolderImporter:
    """Reads any folder of images."""

    title = "Folder of images (pictures, DICOM, NIfTI)"
    kind: Literal["images", "gaze"] = "images"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """All images under the folder; those that are masks become masks of the others."""
        root = source.parent if source.is_file() else source
        files, mask_files, n_others = ([source], [], 0) if source.is_file() else _sorted(source, on_progress, cancel)
        if not files:
            raise BadFileError(f"{source} holds no images.", "JPEG, PNG, TIFF, BMP, WebP, DICOM and NIfTI are read.")
        splits = read_splits(root)
        folders = [root / name for name in _MASK_FOLDERS if (root / name).is_dir()]
        images, warnings = scan_images(
            files,
            mask_of=lambda path: find_mask(path, folders),
            split_of=lambda stem: splits.get(stem, ""),
            skip_broken=options.skip_broken,
            on_progress=on_progress,
            cancel=cancel,
        )
        if n_others:
            warnings.append(f"{n_others} DICOM files without a picture (reports, plans and the like) were left out.")
        stacked = in_stacks(images, single_slices=options.single_slices)
        paired = {image.mask_path for image in images}
        masked = with_masks(
            stacked.images, [path for path in mask_files if path not in paired], skip_broken=options.skip_broken
        )
        return ImportPlan(
            images=masked.images,
            masks=masked.masks,
            targets=masked.targets or ((Target(options.target),) if options.target else ()),
            warnings=(*warnings, *stacked.warnings, *masked.warnings),
            series_sizes=stacked.series_sizes,
        )


importers.register("folder")(FolderImporter())


def _sorted(source: Path, on_progress: OnProgress, cancel: CancelToken | None) -> tuple[list[Path], list[Path], int]:
    """Images, masks of whole volumes or series, and how many DICOM files hold neither."""
    inner = next((source / name for name in _IMAGE_FOLDERS if (source / name).is_dir()), source)
    images, masks, n_others = [], [], 0
    found = image_files(source, deep=True)
    for number, path in enumerate(found):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(found), path.name))
        is_nifti = path.name.lower().endswith((".nii", ".nii.gz"))
        kind = "" if is_nifti or path.suffix.lower() in _PICTURES else sop_class_of(path)
        is_inside = inner == source or inner in path.parents
        in_masks = set(_MASK_FOLDERS).intersection(path.relative_to(source).parts[:-1])
        if kind == SEGMENTATION:
            masks.append(path)
        elif has_no_picture(kind):
            n_others += is_inside
        elif in_masks or _MASK_NAME.search(stem_of(path)):
            masks += [path] if is_nifti else []
        elif is_inside:
            images.append(path)
    return images, masks, n_others
