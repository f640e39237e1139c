"""GazeMedSeg: fixation tables in nine columns with their images and masks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress
from domain.fixations import ImageFixations
from domain.study import Outcome, Target
from processing.fixation_table import TableOfOneImage, is_fixation_table, read_fixation_table
from processing.image_scan import case_from_name, find_mask, image_files, scan_images
from processing.importer import FoundImage, FoundRead, ImportOptions, ImportPlan, importers
from processing.series_scan import in_stacks
from processing.split_files import read_splits
from processing.table_text import read_text
from storage.file_names import name_from_file
from storage.image_file import stem_of

_NOT_AN_IMAGE = re.compile(r"_(mask|seg|label)$", re.IGNORECASE)
_TARGETS = {"kvasir": "polyp", "polyp": "polyp", "nci-isbi": "prostate", "nci_isbi": "prostate", "prostate": "prostate"}


class GazeMedSegImporter:
    """Reads tables and images of GazeMedSeg, and what Sightline's own export of that format wrote."""

    title = "GazeMedSeg (fixation tables in nine columns, with images)"
    kind: Literal["images", "gaze"] = "images"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """All images beside the tables, and their fixations. Rows say `.jpg` also for DICOM slices."""
        if not source.is_dir():
            raise BadFileError(f"{source} is not a folder.", "Choose the folder with the tables and images.")
        places = [source, source / "gaze", source / "GazeMedSeg"]
        tables = [p for place in places if place.is_dir() for p in sorted(place.glob("*.csv")) if is_fixation_table(p)]
        if not tables:
            self._explain_missing_table(source, places)
        folder = source / "images" if (source / "images").is_dir() else source
        files = [path for path in image_files(folder) if not _NOT_AN_IMAGE.search(stem_of(path))]
        if not files:
            raise BadFileError(f"{folder} holds no images beside the tables.", "Put the images there or in images/.")
        splits = read_splits(source)
        masks = [source / "masks"] if (source / "masks").is_dir() else []
        images, warnings = scan_images(
            files,
            mask_of=lambda path: find_mask(path, masks),
            split_of=lambda stem: splits.get(stem, ""),
            case_of=case_from_name,
            skip_broken=options.skip_broken,
            on_progress=on_progress,
            cancel=cancel,
        )
        stacked = in_stacks(images, single_slices=options.single_slices)
        warnings += stacked.warnings
        by_stem = {stem_of(image.path): image for image in stacked.images}
        reads: list[FoundRead] = []
        for path in tables:
            reads += self._reads_in(path, by_stem, options, warnings)
        if not reads:
            raise BadFileError(
                f"None of the images that the tables in {source} name is there.", "Put the images into images/."
            )
        targets = tuple(Target(name, number) for number, name in enumerate(dict.fromkeys(r.target for r in reads), 1))
        return ImportPlan(
            stacked.images,
            reads=tuple(reads),
            targets=targets,
            warnings=tuple(warnings),
            series_sizes=stacked.series_sizes,
        )

    def _reads_in(
        self, path: Path, by_stem: dict[str, FoundImage], options: ImportOptions, warnings: list[str]
    ) -> list[FoundRead]:
        tables = read_fixation_table(path)
        missing = [table.stem for table in tables if table.stem not in by_stem]
        if missing:
            n_rows = sum(len(table.fixations) for table in tables if table.stem in set(missing))
            warnings.append(
                f"{path.name}: {n_rows} rows of {len(missing)} images that are not there were left out "
                f"(first: {missing[0]})."
            )
        facts = _facts_of(path)
        simulated = bool(facts.get("is_simulated", "simulated" in path.stem.lower()))
        reads = []
        for table in (t for t in tables if t.stem in by_stem):
            image = by_stem[table.stem]
            self._compare_sizes(path, table, image, warnings)
            reads.append(
                FoundRead(
                    image_id=image.image_id,
                    annotator=options.annotator or str(facts.get("annotator") or _annotator_of(path)),
                    target=options.target or str(facts.get("target") or _target_of(path)),
                    fixations=table.fixations,
                    is_simulated=simulated,
                )
            )
        listed = facts.get("no_target")
        for image_id in listed if isinstance(listed, list) else []:
            if str(image_id) in by_stem and str(image_id) not in {read.image_id for read in reads}:
                annotator = options.annotator or str(facts.get("annotator") or _annotator_of(path))
                target = options.target or str(facts.get("target") or _target_of(path))
                empty = ImageFixations.empty()
                image_name = by_stem[str(image_id)].image_id
                reads.append(FoundRead(image_name, annotator, target, empty, simulated, Outcome.NO_TARGET))
        return reads

    def _compare_sizes(self, path: Path, table: TableOfOneImage, image: FoundImage, warnings: list[str]) -> None:
        if table.size != image.size:
            warnings.append(
                f"{path.name}: {table.stem} is {table.size[0]} x {table.size[1]} pixels in the table, "
                f"{image.size[0]} x {image.size[1]} in its file; positions are shares of the image, so they hold."
            )

    def _explain_missing_table(self, source: Path, places: list[Path]) -> None:
        candidates = [p for place in places if place.is_dir() for p in sorted(place.glob("*.csv"))]
        if not candidates:
            raise BadFileError(f"{source} holds no fixation table (*.csv).", "Put the table beside the images.")
        read_fixation_table(candidates[0])


importers.register("gazemedseg")(GazeMedSegImporter())


def _facts_of(path: Path) -> dict[str, object]:
    # Sightline's own export says beside the table whose it is; a foreign or damaged file there is no reason to stop.
    beside = path.with_name("tables.json")
    if not beside.is_file():
        return {}
    try:
        facts = json.loads(read_text(beside)).get(path.name, {})
    except (ValueError, AttributeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _target_of(path: Path) -> str:
    name = path.stem.lower()
    return next((target for word, target in _TARGETS.items() if word in name), "target")


def _annotator_of(path: Path) -> str:
    # Sightline writes one table per annotator: kvasir_fixation_<annotator>.csv
    match = re.match(r"^.+_fixation_(.+)$", path.stem)
    return name_from_file(match.group(1)) if match else "gazemedseg"
