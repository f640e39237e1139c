"""Masks as PNG: one index picture per image, and one black and white picture per target."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from domain.study import StudyImage
from processing.export_pictures import class_masks, index_mask, overlap_finding, picture_name, write_picture
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters, text_item
from storage.file_names import file_name_for
from storage.picture_write import write_png


class PngExporter:
    """Pictures in `images/`, index masks in `masks/`, black and white ones in `masks_<target>/`."""

    title = "PNG masks (index, and 0/255 per target)"
    settings: Mapping[str, str] = {}
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Targets that cover each other."""
        return overlap_finding(source)

    def items(self, source: ExportSource) -> list[ExportItem]:
        """Pictures, masks, the table of labels, and the splits."""
        items = []
        for image in source.images:
            name = image.image_id
            items.append(ExportItem.one(f"images/{picture_name(image)}", write_picture(source, image)))
            items.append(ExportItem.one(f"masks/{name}.png", _index_writer(source, image)))
            for target in source.targets:
                path = f"masks_{file_name_for(target.name)}/{name}.png"
                items.append(ExportItem.one(path, _class_writer(source, image, target.name)))
        labels = {"0": "background", **{str(target.number): target.name for target in source.targets}}
        items.append(text_item("labels.json", json.dumps(labels, indent=2, ensure_ascii=False) + "\n"))
        for split in ("train", "val", "test"):
            names = [image.image_id for image in source.images if image.split == split]
            items.append(text_item(f"{split}.txt", "".join(f"{name}\n" for name in names)))
        return items


exporters.register("png")(PngExporter())


def _index_writer(source: ExportSource, image: StudyImage) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        picture = Image.fromarray(index_mask(source, image)).convert("P")
        palette = [0, 0, 0]
        for number in range(1, 256):
            colour = next((t.colour for t in source.targets if t.number == number), "#FFFFFF")
            palette += [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        picture.putpalette(palette)
        picture.save(target, format="PNG")

    return write


def _class_writer(source: ExportSource, image: StudyImage, target_name: str) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        mask = class_masks(source, image).get(target_name, np.zeros((image.size[1], image.size[0]), np.bool_))
        write_png(target, mask.astype(np.uint8) * np.uint8(255))

    return write
