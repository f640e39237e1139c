"""nnU-Net v2 raw data set, with the band between the levels of gaze as its ignore label where that is asked for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.study import StudyImage
from processing.export_pictures import index_mask, lossless_plane, overlap_finding
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters, text_item
from storage.picture_write import write_png

N_FOLDS = 5


class NnUNetExporter:
    """`nnUNet_raw/DatasetNNN_Name` and the splits in `nnUNet_preprocessed`, people kept together."""

    title = "nnU-Net v2 (raw data set)"
    settings: Mapping[str, str] = {
        "number": "number of the data set, 1 to 999 (default 501)",
        "labels": "masks, or levels: highest level is the target, the band down to the lowest is ignored",
    }
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Targets that cover each other, and images that levels cannot be made for."""
        findings = [] if _uses_levels(source) else overlap_finding(source)
        chosen = [image for image in source.images if image.split != "test"]
        without = tuple(image.image_id for image in chosen if not _has_label(source, image))
        if without:
            text = f"{len(without)} training images have no label and are left out."
            findings.append(Finding("warning", "missing masks", text, without))
        if len(without) == len(chosen):
            findings.append(Finding("error", "missing masks", "No training image has a label."))
        return findings

    def items(self, source: ExportSource) -> list[ExportItem]:
        """Pictures as PNG, labels, `dataset.json` and `splits_final.json`."""
        number = source.options.more.get("number", "501")
        if not number.isdigit() or not 1 <= int(number) <= 999:
            raise UserFacingError(f"{number!r} is not a number of a data set.", "Use 1 to 999.")
        name = re.sub(r"[^A-Za-z0-9]", "", source.study.settings.name) or "Sightline"
        folder = f"Dataset{int(number):03d}_{name}"
        raw = f"nnUNet_raw/{folder}"
        colour = any(source.pixels(image).is_colour for image in source.images)
        items, training = [], []
        for image in source.images:
            case = case_name(image)
            is_test = image.split == "test"
            if not is_test and not _has_label(source, image):
                continue
            kind = "Ts" if is_test else "Tr"
            items.append(ExportItem.one(f"{raw}/images{kind}/{case}_0000.png", _picture_writer(source, image, colour)))
            if _has_label(source, image):
                items.append(ExportItem.one(f"{raw}/labels{kind}/{case}.png", _label_writer(source, image)))
            if not is_test:
                training.append(image)
        targets = [source.target] if _uses_levels(source) else source.targets
        labels = {"background": 0, **{t.name: n for n, t in enumerate(targets, start=1)}}
        if _uses_levels(source):
            labels["ignore"] = 2
        description = {
            "channel_names": {"0": "R", "1": "G", "2": "B"} if colour else {"0": "grey"},
            "labels": labels,
            "numTraining": len(training),
            "file_ending": ".png",
            "overwrite_image_reader_writer": "NaturalImage2DIO",
        }
        items.append(text_item(f"{raw}/dataset.json", json.dumps(description, indent=2, ensure_ascii=False) + "\n"))
        splits = json.dumps(folds(training), indent=2) + "\n"
        items.append(text_item(f"nnUNet_preprocessed/{folder}/splits_final.json", splits))
        return items


exporters.register("nnunet")(NnUNetExporter())


def case_name(image: StudyImage) -> str:
    """The image's id in letters that file names of nnU-Net take; different ids keep different names."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", image.image_id)
    return plain if plain == image.image_id else f"{plain}-{hashlib.sha256(image.image_id.encode()).hexdigest()[:6]}"


def folds(images: list[StudyImage]) -> list[dict[str, list[str]]]:
    """The decided train and validation split, or else five folds in which people stay together."""
    if any(image.split == "val" for image in images):
        parts = {s: sorted(case_name(i) for i in images if i.split == s) for s in ("train", "val")}
        return [parts]
    people = sorted(
        {image.case or image.image_id for image in images}, key=lambda p: hashlib.sha256(p.encode()).digest()
    )
    n_folds = min(N_FOLDS, len(people))
    if n_folds < 2:
        names = sorted(case_name(image) for image in images)
        return [{"train": names, "val": names}]
    fold_of = {person: number % n_folds for number, person in enumerate(people)}
    result = []
    for fold in range(n_folds):
        inside = [image for image in images if fold_of[image.case or image.image_id] == fold]
        outside = [image for image in images if fold_of[image.case or image.image_id] != fold]
        result.append({"train": sorted(map(case_name, outside)), "val": sorted(map(case_name, inside))})
    return result


def _uses_levels(source: ExportSource) -> bool:
    return source.options.more.get("labels", "levels" if source.options.masks == "gaze" else "masks") == "levels"


def _has_label(source: ExportSource, image: StudyImage) -> bool:
    if _uses_levels(source) and image.split != "test":
        return bool(source.reads(image.image_id))
    return any(source.has_mask(image, target.name) for target in source.targets)


def level_label(source: ExportSource, image: StudyImage) -> NDArray[np.uint8]:
    """1 where the highest threshold is reached, 2 (ignore) down to the lowest, 0 elsewhere."""
    maps = source.merged_maps(image.image_id)
    if maps is None:
        return index_mask(source, image)
    refined, thresholds = maps.refined, maps.parameters.thresholds
    label = np.zeros(refined.shape, np.uint8)
    label[refined >= min(thresholds)] = 2
    label[refined >= max(thresholds)] = 1
    return label


def _label_writer(source: ExportSource, image: StudyImage) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        uses_levels = _uses_levels(source) and image.split != "test"
        if uses_levels:
            label = level_label(source, image)
        else:
            index = index_mask(source, image)
            label = np.zeros_like(index)
            for number, one in enumerate(source.targets, start=1):
                label[index == one.number] = number  # nnU-Net wants labels without holes in their numbering
        write_png(target, label)

    return write


def _picture_writer(source: ExportSource, image: StudyImage, colour: bool) -> Callable[[Path], None]:
    return lambda target: write_png(target, lossless_plane(source, image, colour=colour or None))
