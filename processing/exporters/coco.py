"""COCO instance annotations with run-length masks: holes and parts stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from domain.study import StudyImage
from processing.export_pictures import class_masks, picture_name, write_picture
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters
from processing.run_lengths import compressed, run_lengths


class CocoExporter:
    """Pictures in `images/`, one `annotations_<split>.json` per split."""

    title = "COCO (run-length masks)"
    settings: Mapping[str, str] = {"rle": "compressed (default) or counts"}
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """COCO has no annotation for an image without target."""
        return []

    def items(self, source: ExportSource) -> list[ExportItem]:
        """Pictures and one table per split."""
        items = [ExportItem.one(f"images/{picture_name(i)}", write_picture(source, i)) for i in source.images]
        for split in ("train", "val", "test"):
            images = [image for image in source.images if image.split == split]
            if images:
                items.append(ExportItem.one(f"annotations_{split}.json", _table_writer(source, images)))
        return items


exporters.register("coco")(CocoExporter())


def _table_writer(source: ExportSource, images: Sequence[StudyImage]) -> Callable[[Path], None]:
    is_compressed = source.options.more.get("rle", "compressed") != "counts"

    def write(target: Path) -> None:
        annotations: list[dict[str, object]] = []
        for image_number, image in enumerate(images, start=1):
            if source.cancel is not None:
                source.cancel.raise_if_cancelled()
            for name, mask in class_masks(source, image).items():
                if not mask.any():
                    continue
                rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
                lengths = run_lengths(mask)
                left, top = int(columns[0]), int(rows[0])
                width, height = int(columns[-1]) - left + 1, int(rows[-1]) - top + 1
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image_number,
                        "category_id": next(t.number for t in source.targets if t.name == name),
                        "segmentation": {
                            "size": [image.size[1], image.size[0]],
                            "counts": compressed(lengths) if is_compressed else lengths,
                        },
                        "area": int(np.count_nonzero(mask)),
                        "bbox": [float(left), float(top), float(width), float(height)],
                        # 1 makes pycocotools read uncompressed run lengths as a crowd region; those are one object too.
                        "iscrowd": 0 if is_compressed else 1,
                    }
                )
        table = {
            "info": {"description": source.study.settings.name},
            "images": [
                {"id": n, "width": i.size[0], "height": i.size[1], "file_name": f"images/{picture_name(i)}"}
                for n, i in enumerate(images, start=1)
            ],
            "annotations": annotations,
            "categories": [{"id": t.number, "name": t.name, "supercategory": ""} for t in source.targets],
        }
        target.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")

    return write
