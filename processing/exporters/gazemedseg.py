"""GazeMedSeg's folder tree and tables, for the published loaders and everything built on them.

Source: med-air/GazeMedSeg, datasets/kvasir_seg.py and datasets/nci_isbi.py (which files are opened under which names).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from domain.counted import counted
from domain.errors import UserFacingError
from domain.study import StudyImage
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters, text_item
from processing.fixation_table import COLUMNS, fixation_table_lines, published_rows
from storage.dicom_write import copy_or_write_dicom
from storage.file_names import file_name_for
from storage.picture_write import copy_jpeg_without_metadata, write_jpeg, write_png

TABLE_FACTS = "tables.json"


class GazeMedSegExporter:
    """Two flavours: `kvasir` (all files JPEG) and `prostate` (images DICOM, masks and maps PNG)."""

    title = "GazeMedSeg (nine columns, images/, masks/, gaze/, for the published loaders)"
    settings: Mapping[str, str] = {
        "flavour": "kvasir, prostate or auto (prostate where all images are DICOM or volumes)"
    }
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """What the format changes."""
        findings: list[Finding] = []
        train = [image for image in source.images if image.split == "train"]
        blind = tuple(image.image_id for image in train if not source.reads(image.image_id))
        if blind:
            text = f"{len(blind)} training images have no gaze; they are left out of train.txt."
            findings.append(Finding("warning", "missing gaze", text, blind))
        if not _names(source, "train"):
            findings.append(Finding("error", "splits", "No image with gaze is left in the train split."))
        if not _names(source, "test"):
            text = (
                "The test split is empty; the published loaders cannot open it. All images have a split, and none is "
                "for testing: `sightline study split STUDY FILE test` changes that, with a list of names in FILE."
            )
            findings.append(Finding("warning", "splits", text))
        odd = tuple(i.image_id for i in source.images if any(c.isspace() for c in i.image_id))
        if odd:
            text = "The published loaders read names up to the first space; these names have spaces."
            findings.append(Finding("error", "names", text, odd))
        if flavour_of(source) == "kvasir":
            turned = tuple(i.image_id for i in source.images if not i.path.lower().endswith((".jpg", ".jpeg")))
            if turned:
                images = counted(len(turned), "image is", "images are")
                text = f"{images} not JPEG; written as JPEG of the highest quality, 8 bits."
                findings.append(Finding("note", "conversion", text, turned))
        return findings

    def items(self, source: ExportSource) -> list[ExportItem]:
        """Images, masks, maps, tables and split files."""
        flavour = flavour_of(source)
        image_ending = ".jpg" if flavour == "kvasir" else ".dcm"
        other_ending = ".jpg" if flavour == "kvasir" else ".png"
        items: list[ExportItem] = []
        for split in ("train", "val", "test"):
            names = _names(source, split)
            if names or split != "val":
                items.append(text_item(f"{split}.txt", "".join(f"{name}\n" for name in names)))
        for image in source.images:
            name = image.image_id
            items.append(ExportItem.one(f"images/{name}{image_ending}", _image_writer(source, image, flavour)))
            items.append(ExportItem.one(f"masks/{name}{other_ending}", _mask_writer(source, image, flavour)))
            if source.reads(name):
                items.append(_map_items(source, image, "gaze", other_ending, ""))
                if len(source.annotators) > 1:
                    for trial in source.reads(name):
                        root = f"gaze_{file_name_for(trial.annotator)}"
                        items.append(_map_items(source, image, root, other_ending, trial.annotator))
        items += _table_items(source, flavour)
        items.append(text_item("README.txt", _readme(source, flavour)))
        return items


exporters.register("gazemedseg")(GazeMedSegExporter())


def flavour_of(source: ExportSource) -> str:
    """`kvasir` or `prostate`, as asked for or as the images are."""
    asked = source.options.more.get("flavour", "auto")
    if asked in ("kvasir", "prostate"):
        return asked
    if asked != "auto":
        raise UserFacingError(f"There is no flavour {asked!r}.", "Known: kvasir, prostate, auto.")
    endings = (".dcm", ".dicom", ".ima", ".nii", ".nii.gz")
    return "prostate" if all(image.path.lower().endswith(endings) for image in source.images) else "kvasir"


def _names(source: ExportSource, split: str) -> list[str]:
    chosen = [image for image in source.images if image.split == split]
    # The gaze loader opens a map for every training image.
    return [image.image_id for image in chosen if split != "train" or source.reads(image.image_id)]


def _image_writer(source: ExportSource, image: StudyImage, flavour: str) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        file = source.study.absolute(image.path)
        if flavour == "prostate":
            copy_or_write_dicom(file, target, source.pixels(image), name=image.image_id, case=image.case)
        elif image.slice_index >= 0 or not copy_jpeg_without_metadata(file, target):
            write_jpeg(target, source.pixels(image).display_u8())

    return write


def _mask_writer(source: ExportSource, image: StudyImage, flavour: str) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        mask, _ = source.mask(image)
        if mask is None:  # the loaders open a mask for every image, also in training, where it is not used
            mask = np.zeros((image.size[1], image.size[0]), np.bool_)
        values = mask.astype(np.uint8) * np.uint8(255)
        write_jpeg(target, values) if flavour == "kvasir" else write_png(target, values)

    return write


def _map_items(source: ExportSource, image: StudyImage, root: str, ending: str, annotator: str) -> ExportItem:
    def write(targets: Sequence[Path]) -> None:
        if annotator:
            maps = source.maps(source.reads(image.image_id, annotator=annotator)[0])
        else:
            merged = source.merged_maps(image.image_id)
            if merged is None:
                raise ValueError(f"{image.image_id} has no reads")
            maps = merged
        for target, values_01 in zip(targets, (maps.heatmap, maps.refined), strict=True):
            values = (np.clip(values_01, 0, 1) * 255).astype(np.uint8)  # truncated, as the published scripts do
            write_jpeg(target, values) if ending == ".jpg" else write_png(target, values)

    return ExportItem(
        (f"{root}/heatmap/{image.image_id}{ending}", f"{root}/crf_compat1/{image.image_id}{ending}"), write
    )


def _table_items(source: ExportSource, flavour: str) -> list[ExportItem]:
    base = "kvasir_fixation" if flavour == "kvasir" else "nci-isbi_fixation"
    simulated = {trial.annotator for trial in source.all_reads if trial.is_simulated}
    items, facts = [], {}
    for annotator in source.annotators:
        ending = "" if len(source.annotators) == 1 else f"_{file_name_for(annotator)}"
        name = f"{base}{ending}{'_simulated' if annotator in simulated and annotator != 'simulated' else ''}.csv"
        lines = [",".join(COLUMNS)]
        for image in source.images:
            for trial in source.reads(image.image_id, annotator=annotator):
                counted = published_rows(trial.fixations, source.labels.min_fixation_ms)
                lines += fixation_table_lines(f"{image.image_id}.jpg", image.size, counted)
        items.append(text_item(name, "\n".join(lines) + "\n"))
        facts[name] = {
            "annotator": annotator,
            "target": source.target.name,
            "is_simulated": annotator in simulated,
            "no_target": [
                trial.image_id
                for image in source.images
                for trial in source.reads(image.image_id, annotator=annotator)
                if trial.outcome.value == "no target"
            ],
        }
    return [*items, text_item(TABLE_FACTS, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")]


def _readme(source: ExportSource, flavour: str) -> str:
    labels = source.labels
    without = [image.image_id for image in source.images if not source.has_mask(image)]
    thresholds = ", ".join(f"{t:g}" for t in labels.thresholds)
    lines = [
        f"GazeMedSeg layout ({flavour} flavour) of the study {source.study.settings.name}.",
        f"Target: {source.target.name}. Annotators: {', '.join(source.annotators) or 'none'}.",
        f"Maps: {labels.heatmap_mode} heatmap, sigma {labels.sigma:g}. Thresholds: {thresholds}.",
        f"gaze/crf_compat1 holds the refined maps of source {labels.source!r}.",
        f"Fixations shorter than {labels.min_fixation_ms:g} ms and outside the image are left out, as published.",
    ]
    if any(trial.is_simulated for trial in source.all_reads):
        lines.append("The gaze, or a part of it, is SIMULATED; whatever is computed from it must be called simulated.")
    if without:
        lines.append(
            f"{len(without)} images have no reference mask; their file in masks/ is all zero, only to be there."
        )
    return "\n".join(lines) + "\n"
