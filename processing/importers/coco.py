"""COCO annotations with their pictures: run lengths and polygons become masks of each category."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress
from domain.study import Target
from processing.image_scan import scan_images
from processing.importer import FoundImage, FoundMask, ImportOptions, ImportPlan, importers
from processing.run_lengths import decompressed, mask_from_runs
from processing.table_text import read_text

Json = dict[str, Any]  # values of a foreign file, looked at one by one


class CocoImporter:
    """Reads all `*.json` with images, annotations and categories in a folder, or one such file."""

    title = "COCO (annotations and pictures)"
    kind: Literal["images", "gaze"] = "images"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """Pictures, masks per category, and splits from the files' names."""
        files = [source] if source.is_file() else sorted(source.glob("*.json"))
        root = source.parent if source.is_file() else source
        tables = [(path, table) for path in files if (table := _table(path, must_be=source.is_file())) is not None]
        if not tables:
            raise BadFileError(f"{source} holds no COCO annotations.", "Choose the folder with annotations_*.json.")
        paths: dict[Path, tuple[str, dict[str, list[Json]]]] = {}
        targets: dict[str, int] = {}
        for path, table in tables:
            self._read(path, table, root, paths, targets)
        images, warnings = scan_images(
            list(paths), skip_broken=options.skip_broken, on_progress=on_progress, cancel=cancel
        )
        masks = []
        placed = []
        for image in images:
            split, by_target = paths[image.path]
            placed.append(FoundImage(**{**image.__dict__, "split": split}))
            for target, segmentations in by_target.items():
                masks.append(FoundMask(image.image_id, target, _reader(image, segmentations)))
                masks[-1].read()  # a broken one is refused now, not half-way
        ordered = sorted(targets.items(), key=lambda item: item[1])
        return ImportPlan(
            images=tuple(placed),
            masks=tuple(masks),
            targets=tuple(Target(name, number) for number, (name, _) in enumerate(ordered, start=1)),
            warnings=tuple(warnings),
        )

    def _read(
        self,
        path: Path,
        table: Json,
        root: Path,
        paths: dict[Path, tuple[str, dict[str, list[Json]]]],
        targets: dict[str, int],
    ) -> None:
        split = next((s for s in ("train", "val", "test") if s in path.stem.lower()), "")
        try:
            categories = {int(c["id"]): str(c["name"]) for c in table["categories"]}
            by_id: dict[int, dict[str, list[Json]]] = {}
            for image in table["images"]:
                file = _picture(root, path, str(image["file_name"]))
                by_id[int(image["id"])] = paths.setdefault(file, (split, {}))[1]
            for number, name in categories.items():
                targets.setdefault(name, number)
            for annotation in table["annotations"]:
                name = categories[int(annotation["category_id"])]
                by_id[int(annotation["image_id"])].setdefault(name, []).append(annotation["segmentation"])
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise BadFileError(f"{path} is not valid COCO: {problem!r}.", "Export it again.") from problem


importers.register("coco")(CocoImporter())


def _table(path: Path, *, must_be: bool) -> Json | None:
    try:
        table = json.loads(read_text(path))
    except ValueError as problem:
        raise BadFileError(f"{path} is not JSON: {problem}.", "Copy the file again.") from problem
    if isinstance(table, dict) and {"images", "annotations", "categories"} <= set(table):
        return table
    if must_be:
        raise BadFileError(f"{path} lacks images, annotations or categories.", "Choose COCO annotations.")
    return None


def _picture(root: Path, table: Path, name: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name:
        raise BadFileError(f"{table} names a picture {name!r} outside its folder.", "Do not use this file.")
    for candidate in (root / parts, root / "images" / parts, root / "images" / parts.name):
        if candidate.is_file():
            return candidate
    raise BadFileError(f"{table} names {name}, which is not there.", "Put the pictures beside it or in images/.")


def _reader(image: FoundImage, segmentations: list[Json]) -> Callable[[], NDArray[np.bool_]]:
    size = (image.size[1], image.size[0])

    def read() -> NDArray[np.bool_]:
        mask = np.zeros(size, np.bool_)
        for segmentation in segmentations:
            try:
                mask |= _mask(segmentation, size)
            except (ValueError, TypeError, LookupError, OverflowError, MemoryError, cv2.error) as problem:
                raise BadFileError(
                    f"A mask of {image.path.name} is broken: {problem}.", "Export it again."
                ) from problem
        return mask

    return read


def _mask(segmentation: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    if isinstance(segmentation, dict):
        if tuple(segmentation["size"]) != size:
            raise ValueError(f"it is {segmentation['size']}, its picture {list(size)} (height, width)")
        counts = segmentation["counts"]
        return mask_from_runs(decompressed(counts) if isinstance(counts, str) else [int(c) for c in counts], size)
    drawn = np.zeros(size, np.uint8)
    for polygon in segmentation:
        corners = np.asarray(polygon, np.float64).reshape(-1, 2)
        if len(corners) < 3 or not np.isfinite(corners).all() or np.abs(corners).max() > 1e6:
            raise ValueError("a polygon needs three corners or more, on the picture")
        # Pixel centres lie at half numbers in COCO; OpenCV fills pixels whose centres are whole numbers.
        cv2.fillPoly(drawn, [np.rint((corners - 0.5) * 256).astype(np.int32)], 1, lineType=cv2.LINE_8, shift=8)
    return np.asarray(drawn > 0)
