"""Kvasir-SEG: `images/` and `masks/` with files of the same names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress
from domain.study import Target
from processing.image_scan import image_files, scan_images
from processing.importer import ImportOptions, ImportPlan, importers
from processing.split_files import read_splits
from storage.image_file import stem_of


class KvasirSegImporter:
    """Reads the published folder of Kvasir-SEG (Jha et al. 2020), or a part of it."""

    title = "Kvasir-SEG (images/ and masks/)"
    kind: Literal["images", "gaze"] = "images"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """All images with their masks; splits from split files where there are some."""
        folder = source if (source / "images").is_dir() else source / "Kvasir-SEG"
        if not (folder / "images").is_dir():
            raise BadFileError(
                f"{source} is not Kvasir-SEG: it has no folder images.",
                "Choose the folder that holds images/ and masks/.",
            )
        masks = {stem_of(p): p for p in image_files(folder / "masks")} if (folder / "masks").is_dir() else {}
        files = image_files(folder / "images")
        if not files:
            raise BadFileError(f"{folder / 'images'} holds no images.", "Unpack the archive again.")
        splits = read_splits(folder)
        images, warnings = scan_images(
            files,
            mask_of=lambda path: masks.get(stem_of(path)),
            split_of=lambda stem: splits.get(stem, ""),
            skip_broken=options.skip_broken,
            on_progress=on_progress,
            cancel=cancel,
        )
        n_without = sum(image.mask_path is None for image in images)
        if n_without:
            warnings.append(f"{n_without} of {len(images)} images have no mask.")
        return ImportPlan(tuple(images), targets=(Target(options.target or "polyp"),), warnings=tuple(warnings))


importers.register("kvasir-seg")(KvasirSegImporter())
