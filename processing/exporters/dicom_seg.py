"""DICOM-SEG: masks as BINARY and gaze maps as FRACTIONAL objects beside their DICOM images."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from domain.study import StudyImage
from processing.export_pictures import class_masks
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters
from storage.dicom_segmentation import Segment, write_segmentation


class DicomSegExporter:
    """`images/<id>.dcm`, `masks/<id>.dcm` (BINARY) and `maps/<id>.dcm` (FRACTIONAL)."""

    title = "DICOM-SEG (binary masks and fractional gaze maps; DICOM images only)"
    settings: Mapping[str, str] = {}
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Images that are not DICOM."""
        foreign = tuple(image.image_id for image in source.images if not _is_dicom(image))
        if not foreign:
            return []
        text = (
            f"{len(foreign)} images are not DICOM; a segmentation object must refer to DICOM images. "
            "Export these as NIfTI or PNG."
        )
        level = "error" if len(foreign) == len(source.images) else "warning"
        return [Finding("error" if level == "error" else "warning", "not DICOM", text, foreign)]

    def items(self, source: ExportSource) -> list[ExportItem]:
        """One object per DICOM file and kind."""
        by_file: dict[str, list[StudyImage]] = defaultdict(list)
        for image in source.images:
            if _is_dicom(image):
                by_file[image.path].append(image)
        items = []
        for path, images in by_file.items():
            name = images[0].image_id if images[0].slice_index < 0 else images[0].case or images[0].image_id
            file = source.study.absolute(path)
            items.append(ExportItem.one(f"images/{name}.dcm", _copier(file)))
            if any(source.has_mask(image, target.name) for image in images for target in source.targets):
                items.append(ExportItem.one(f"masks/{name}.dcm", _mask_writer(source, images, file)))
            if any(source.reads(image.image_id) for image in images):
                items.append(ExportItem.one(f"maps/{name}.dcm", _map_writer(source, images, file)))
        return items


exporters.register("dicom-seg")(DicomSegExporter())


def _is_dicom(image: StudyImage) -> bool:
    return image.path.lower().endswith((".dcm", ".dicom", ".ima"))


def _copier(file: Path) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        shutil.copyfile(file, target)

    return write


def _shape(source: ExportSource, images: list[StudyImage], file: Path) -> tuple[int, int, int]:
    return source.study.n_slices_of(file), images[0].size[1], images[0].size[0]


def _mask_writer(source: ExportSource, images: list[StudyImage], file: Path) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        stack = np.zeros((*_shape(source, images, file), len(source.targets)), np.bool_)
        origins: set[str] = set()
        for image in images:
            masks = class_masks(source, image)
            origins.add(source.mask(image)[1])
            for number, one in enumerate(source.targets):
                if one.name in masks:
                    stack[max(image.slice_index, 0), :, :, number] = masks[one.name]
        is_manual = "gaze" not in origins
        segments = [Segment(one.name, is_manual) for one in source.targets]
        write_segmentation(target, file, stack, segments, uid_of=f"{source.study.study_id}|mask|{images[0].image_id}")

    return write


def _map_writer(source: ExportSource, images: list[StudyImage], file: Path) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        stack = np.zeros((*_shape(source, images, file), 1), np.float32)
        for image in images:
            maps = source.merged_maps(image.image_id)
            if maps is not None:
                stack[max(image.slice_index, 0), :, :, 0] = np.clip(maps.refined, 0, 1)
        segment = Segment(source.target.name, is_manual=False)
        write_segmentation(target, file, stack, [segment], uid_of=f"{source.study.study_id}|map|{images[0].image_id}")

    return write
