"""DICOM-SEG: masks as BINARY and gaze maps as FRACTIONAL objects beside their DICOM images."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from domain.study import StudyImage
from processing.export_pictures import class_masks
from processing.export_source import ExportSource
from processing.export_volumes import ExportVolume, has_geometry, volumes_of
from processing.exporter import ExportItem, Finding, exporters
from storage.dicom_segmentation import Segment, write_segmentation


class DicomSegExporter:
    """`images/<id>.dcm`, `masks/<id>.dcm` (BINARY) and `maps/<id>.dcm` (FRACTIONAL); one of each per series."""

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
        """One object per DICOM file or series, and kind."""
        items = []
        for volume in self._volumes(source):
            name = volume.name
            for number, file in enumerate(volume.files, start=1):
                inside = f"{name}/{number:04d}" if volume.is_series else name
                items.append(ExportItem.one(f"images/{inside}.dcm", _copier(file)))
            if any(source.has_mask(image, target.name) for image in volume.images for target in source.targets):
                items.append(ExportItem.one(f"masks/{name}.dcm", _mask_writer(source, volume)))
            if any(source.reads(image.image_id) for image in volume.images):
                items.append(ExportItem.one(f"maps/{name}.dcm", _map_writer(source, volume)))
        return items

    def _volumes(self, source: ExportSource) -> list[ExportVolume]:
        dicom = [image for image in source.images if _is_dicom(image)]
        found: list[ExportVolume] = []
        for volume in volumes_of(source, dicom):
            if not volume.is_series or has_geometry(volume):
                found.append(volume)
                continue
            # Frames of one object need a place in the patient each; without it every slice gets an object of its own.
            for image in volume.images:
                found.append(ExportVolume(image.image_id, (image,), (source.study.absolute(image.path),)))
        return found


exporters.register("dicom-seg")(DicomSegExporter())


def _is_dicom(image: StudyImage) -> bool:
    return image.path.lower().endswith((".dcm", ".dicom", ".ima"))


def _copier(file: Path) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        shutil.copyfile(file, target)

    return write


def _shape(source: ExportSource, volume: ExportVolume) -> tuple[int, int, int]:
    width, height = volume.images[0].size
    return len(volume.files) if volume.is_series else source.study.n_slices_of(volume.file), height, width


def _mask_writer(source: ExportSource, volume: ExportVolume) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        stack = np.zeros((*_shape(source, volume), len(source.targets)), np.bool_)
        origins: set[str] = set()
        for image in volume.images:
            masks = class_masks(source, image)
            origins.add(source.mask(image)[1])
            for number, one in enumerate(source.targets):
                if one.name in masks:
                    stack[volume.place_of(source, image), :, :, number] = masks[one.name]
        is_manual = "gaze" not in origins
        segments = [Segment(one.name, is_manual) for one in source.targets]
        uid_of = f"{source.study.study_id}|mask|{volume.images[0].image_id}"
        write_segmentation(target, volume.files, stack, segments, uid_of=uid_of)

    return write


def _map_writer(source: ExportSource, volume: ExportVolume) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        stack = np.zeros((*_shape(source, volume), 1), np.float32)
        for image in volume.images:
            maps = source.merged_maps(image.image_id)
            if maps is not None:
                stack[volume.place_of(source, image), :, :, 0] = np.clip(maps.refined, 0, 1)
        segment = Segment(source.target.name, is_manual=False)
        uid_of = f"{source.study.study_id}|map|{volume.images[0].image_id}"
        write_segmentation(target, volume.files, stack, [segment], uid_of=uid_of)

    return write
