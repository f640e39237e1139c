"""NIfTI label maps on the grid of the volume they were drawn on, or as flat images of pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.study import StudyImage
from processing.export_pictures import index_mask, lossless_plane, overlap_finding
from processing.export_source import ExportSource
from processing.export_volumes import ExportVolume, geometry_findings, volumes_of
from processing.exporter import ExportItem, Finding, exporters, text_item
from storage.dicom_geometry import affine_of
from storage.image_file import read_image
from storage.nifti_write import write_flat, write_like, write_volume


class NiftiExporter:
    """`images/<case>.nii.gz` and `labels/<case>.nii.gz` with equal shape and affine; a DICOM series is one volume."""

    title = "NIfTI (label maps)"
    settings: Mapping[str, str] = {}
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Targets that cover each other, and series that no regular grid can hold."""
        return [*overlap_finding(source), *geometry_findings(source)]

    def items(self, source: ExportSource) -> list[ExportItem]:
        """One volume and one label map per file or series."""
        items = []
        for volume in volumes_of(source, source.images):
            ending = ".nii.gz"
            if volume.is_series:
                write_image, write_label = _series_writer(volume), _series_label_writer(source, volume)
            elif volume.file.name.lower().endswith((".nii", ".nii.gz")):
                write_image, write_label = _copier(volume.file), _volume_writer(source, volume)
                ending = ".nii" if volume.file.name.lower().endswith(".nii") else ending
            else:
                write_image, write_label = _flat_writer(source, volume.images[0]), _label_writer(source, volume)
            items.append(ExportItem.one(f"images/{volume.name}{ending}", write_image))
            items.append(ExportItem.one(f"labels/{volume.name}.nii.gz", write_label))
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


def _label_writer(source: ExportSource, volume: ExportVolume) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        image = volume.images[0]
        write_flat(target, index_mask(source, image), spacing_mm=source.study.pixels(image.image_id).spacing_mm)

    return write


def _volume_writer(source: ExportSource, volume: ExportVolume) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        write_like(target, _label_stack(source, volume, source.study.n_slices_of(volume.file)), volume.file)

    return write


def _series_writer(volume: ExportVolume) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        facts = volume.facts()
        slices = [read_image(file) for file in volume.files]
        planes = [one.display_u8()[:, :, 0] if one.is_colour else one.values[0] for one in slices]
        write_volume(target, np.stack(planes), affine_of(facts), spacing_mm=slices[0].spacing_mm)

    return write


def _series_label_writer(source: ExportSource, volume: ExportVolume) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        stack = _label_stack(source, volume, len(volume.files))
        spacing = source.study.pixels(volume.images[0].image_id).spacing_mm
        write_volume(target, stack, affine_of(volume.facts()), spacing_mm=spacing)

    return write


def _label_stack(source: ExportSource, volume: ExportVolume, n_slices: int) -> NDArray[np.uint8]:
    width, height = volume.images[0].size
    stack = np.zeros((n_slices, height, width), np.uint8)
    for image in volume.images:
        stack[volume.place_of(source, image)] = index_mask(source, image)
    return stack
