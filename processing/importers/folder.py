"""A folder of pictures, DICOM files or NIfTI volumes, with masks in `masks/` or named `..._mask`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress
from domain.study import Target
from processing.image_scan import find_mask, image_files, scan_images
from processing.importer import ImportOptions, ImportPlan, importers
from processing.series_scan import in_stacks
from processing.split_files import read_splits
from storage.image_file import stem_of

_MASK_NAME = re.compile(r"[_-](mask|seg|label|segmentation|groundtruth)$", re.IGNORECASE)
_MASK_FOLDERS = ("masks", "labels", "labelsTr", "segmentations", "ground_truth")
_IMAGE_FOLDERS = ("images", "imagesTr")


class FolderImporter:
    """Reads any folder of images."""

    title = "Folder of images (pictures, DICOM, NIfTI)"
    kind: Literal["images", "gaze"] = "images"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """All images under the folder; those that are masks become masks of the others."""
        if source.is_file():
            files, root = [source], source.parent
        else:
            root = source
            inner = next((source / name for name in _IMAGE_FOLDERS if (source / name).is_dir()), source)
            masks = {*_MASK_FOLDERS}
            files = [
                path
                for path in image_files(inner, deep=True)
                if not _MASK_NAME.search(stem_of(path)) and not masks.intersection(path.relative_to(inner).parts[:-1])
            ]
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
        stacked = in_stacks(images, single_slices=options.single_slices)
        return ImportPlan(
            images=stacked.images,
            targets=(Target(options.target),) if options.target else (),
            warnings=(*warnings, *stacked.warnings),
            series_sizes=stacked.series_sizes,
        )


importers.register("folder")(FolderImporter())
