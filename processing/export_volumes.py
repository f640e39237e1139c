"""The images of an export, by the volume they are slices of: one file with many slices, or a series of files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.study import StudyImage
from processing.export_source import ExportSource
from processing.exporter import Finding
from storage.dicom_geometry import SliceFacts, affine_of, read_slice_facts, uneven_steps
from storage.image_file import stem_of


@dataclass(frozen=True)
class ExportVolume:
    """What becomes one volume. images: those of the export; files: all slices of a series in their order, or one file.

    A picture of its own is a volume of one image.
    """

    name: str
    images: tuple[StudyImage, ...]
    files: tuple[Path, ...]
    is_series: bool = False

    @property
    def file(self) -> Path:
        """The first file."""
        return self.files[0]

    def place_of(self, source: ExportSource, image: StudyImage) -> int:
        """Which slice of the volume an image is."""
        return self.files.index(source.study.absolute(image.path)) if self.is_series else max(image.slice_index, 0)

    def facts(self) -> list[SliceFacts]:
        """What the headers of a series say of its slices."""
        return [read_slice_facts(file) for file in self.files]


def volumes_of(source: ExportSource, images: Sequence[StudyImage]) -> list[ExportVolume]:
    """The images by volume, with names that differ without regard to case."""
    groups: dict[str, list[StudyImage]] = defaultdict(list)
    for image in images:
        is_slice = image.slice_index >= 0
        groups[image.stack or (image.path if is_slice else f"{image.path}|{image.image_id}")].append(image)
    volumes = []
    used: set[str] = set()
    for members in groups.values():
        first = members[0]
        slices = source.study.slices_of(first)
        is_series = len(slices) > 1
        files = [source.study.absolute(image.path) for image in (slices if is_series else [first])]
        name = first.image_id
        if is_series or first.slice_index >= 0:
            is_nifti = first.path.lower().endswith((".nii", ".nii.gz"))
            name = first.case or (stem_of(first.path) if is_nifti else first.image_id)
        while name.lower() in used:
            name = f"{name}-{first.image_id}"
        used.add(name.lower())
        volumes.append(ExportVolume(name, tuple(members), tuple(files), is_series))
    return volumes


def has_geometry(volume: ExportVolume) -> bool:
    """Whether the headers of a series say where its slices lie; the first and the last are looked at."""
    return affine_of([read_slice_facts(volume.files[0]), read_slice_facts(volume.files[-1])]) is not None


def geometry_findings(source: ExportSource) -> list[Finding]:
    """Series that a regular grid cannot hold as they are."""
    flat, uneven = [], []
    for volume in volumes_of(source, source.images):
        if not volume.is_series or not all(file.is_file() for file in volume.files):
            continue
        if not has_geometry(volume):
            flat.append(volume.images[0].image_id)
            continue
        _, n_missing, n_odd = uneven_steps([i.stack_position for i in source.study.slices_of(volume.images[0])])
        if n_missing or n_odd:
            uneven.append(volume.images[0].image_id)
    findings = []
    if flat:
        text = f"{len(flat)} series do not say where their slices lie; their volumes have no true place."
        findings.append(Finding("warning", "geometry", text, tuple(flat)))
    if uneven:
        text = f"{len(uneven)} series have uneven or missing slices; a volume has one distance for all, their mean."
        findings.append(Finding("warning", "geometry", text, tuple(uneven)))
    return findings
