"""YOLO segmentation: one line per outer contour, in shares of the image. Holes are lost, and said to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.study import StudyImage
from processing.export_pictures import class_masks, picture_name, write_picture
from processing.export_source import ExportSource
from processing.exporter import ExportItem, Finding, exporters, text_item


class YoloSegExporter:
    """`images/<split>/`, `labels/<split>/` and `data.yaml`."""

    title = "YOLO segmentation (outer contours)"
    settings: Mapping[str, str] = {}
    needs_masks = True

    def preflight(self, source: ExportSource) -> list[Finding]:
        """Masks with holes, which a contour cannot hold."""
        holed = tuple(i.image_id for i in source.images if any(has_hole(m) for m in class_masks(source, i).values()))
        if not holed:
            return []
        return [Finding("warning", "holes", f"{len(holed)} masks have holes; YOLO contours fill them.", holed)]

    def items(self, source: ExportSource) -> list[ExportItem]:
        """Pictures, one text file each, and the description."""
        items = []
        for image in source.images:
            items.append(ExportItem.one(f"images/{image.split}/{picture_name(image)}", write_picture(source, image)))
            items.append(ExportItem.one(f"labels/{image.split}/{image.image_id}.txt", _label_writer(source, image)))
        splits = {image.split for image in source.images}
        lines = ["path: .", "train: images/train"]
        lines += [f"val: images/{'val' if 'val' in splits else 'test' if 'test' in splits else 'train'}"]
        lines += ["test: images/test"] if "test" in splits else []
        lines += ["names:", *(f'  {n}: "{t.name}"' for n, t in enumerate(source.targets))]
        items.append(text_item("data.yaml", "\n".join(lines) + "\n"))
        return items


exporters.register("yolo-seg")(YoloSegExporter())


def has_hole(mask: NDArray[np.bool_]) -> bool:
    """Whether background lies inside the mask."""
    padded = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    n_regions, _ = cv2.connectedComponents(padded, connectivity=4)
    return bool(n_regions > 2)


def contours(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The outer border of each part along the pixels' edges, (n, 2) of x and y in pixels."""
    # Twice the size: contour points then lie on the pixels' corners instead of half a pixel inside.
    large = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    found, _ = cv2.findContours(np.pad(large, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    height, width = mask.shape
    result = []
    for outline in found:
        corners = np.asarray(outline, np.float64).reshape(-1, 2) - 1
        # 2k is the left and 2k + 1 the right half of pixel k: both ends go to the pixel's outer edge.
        edges = np.where(corners % 2 == 0, corners / 2, (corners + 1) / 2)
        result.append(np.clip(edges, 0, [width, height]))
    return [outline for outline in result if len(outline) >= 3]


def _label_writer(source: ExportSource, image: StudyImage) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        lines = []
        for number, one in enumerate(source.targets):
            mask = class_masks(source, image).get(one.name)
            for outline in contours(mask) if mask is not None else []:
                shares = (outline / np.asarray(image.size, np.float64)).ravel()
                lines.append(f"{number} " + " ".join(f"{share:.6f}" for share in shares))
        target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    return write
