"""NIfTI label maps on the grid of the volume they were drawn on, or as flat images of pictures."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from domain.study import StudyImage
from processing.export_pictures import index_mask, lossless_plane, overlap_finding
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters, text_item
from storage.image_file import stem_of
from storage.nifti_write import write_flat, write_like


class NiftiExporter:
    """`images/<case>.nii.gz` and `labels/<case>.nii.gz` with equal shape and affine."""

    title = "NIfTI (label maps)"
    settings: Mapping[str, str] = {}
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Targets that cover each other."""
        return overlap_finding(source)

    def items(self, source: ExportSource) -> list[ExportItem]:
        """One volume and one label map per file."""
        by_file: dict[str, list[StudyImage]] = defaultdict(list)
        for image in source.images:
            by_file[image.path if image.slice_index >= 0 else f"{image.path}|{image.image_id}"].append(image)
        items, used = [], set()
        for images in by_file.values():
            first = images[0]
            name = (first.case or stem_of(first.path)) if first.slice_index >= 0 else first.image_id
            while name.lower() in used:
                name = f"{name}-{first.image_id}"
            used.add(name.lower())
            path = source.study.absolute(first.path)
            is_volume = first.path.lower().endswith((".nii", ".nii.gz"))
            write_image = _copier(path) if is_volume else _flat_writer(source, first)
            write_label = _volume_writer(source, images, path) if is_volume else _label_writer(source, images)
            ending = ".nii" if first.path.lower().endswith(".nii") else ".nii.gz"
            items.append(ExportItem.one(f"images/{name}{ending if is_volume else '.nii.gz'}", write_image))
            items.append(ExportItem.one(f"labels/{name}.nii.gz", write_label))
        labels = {"background": 0, **{target.name: target.number for target in source.targets}}
        items.append(text_item("labels.json", json.dumps(labels, indent=2, ensure_ascii=False) + "\n"))
        return items


exporters.register("nifti")(NiftiExporter())


def _copier(path: Path) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        shutil.copyfile(path, target)

    return write


def _flat_writer(source: ExportSource, image: StudyImage) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        pixels = source.study.pixels(image.image_id)
        write_flat(target, lossless_plane(source, image), spacing_mm=pixels.spacing_mm)

    return write


def _label_writer(source: ExportSource, images: list[StudyImage]) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        spacing = source.study.pixels(images[0].image_id).spacing_mm
        write_flat(target, index_mask(source, images[0]), spacing_mm=spacing)

    return write


def _volume_writer(source: ExportSource, images: list[StudyImage], path: Path) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        width, height = images[0].size
        n_slices = source.study.n_slices_of(path)
        stack = np.zeros((n_slices, height, width), np.uint8)
        for image in images:
            stack[max(image.slice_index, 0)] = index_mask(source, image)
        write_like(target, stack, path)

    return write
