"""Pictures and index masks as several formats need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.study import StudyImage
from processing.export_source import ExportSource
from processing.exporter import Finding
from storage.picture_write import copy_jpeg_without_metadata, write_png


def picture_name(image: StudyImage) -> str:
    """`<id>.jpg` where the picture can be copied as it is, else `<id>.png`."""
    is_jpeg = image.path.lower().endswith((".jpg", ".jpeg")) and image.slice_index < 0
    return f"{image.image_id}{'.jpg' if is_jpeg else '.png'}"


def write_picture(source: ExportSource, image: StudyImage) -> Callable[[Path], None]:
    """Writes the picture as shown: JPEG copied without metadata, everything else as PNG with its bits."""

    def write(target: Path) -> None:
        file = source.study.absolute(image.path)
        if target.suffix == ".jpg" and copy_jpeg_without_metadata(file, target):
            return
        # A JPEG that must be turned or is not RGB keeps its name; readers go by content.
        write_png(target, lossless_plane(source, image))

    return write


def lossless_plane(source: ExportSource, image: StudyImage, *, colour: bool | None = None) -> NDArray[np.generic]:
    """(H, W) of 8 or 16 bits, or (H, W, 3) of 8 bits: the values themselves where PNG holds them."""
    pixels = source.pixels(image)
    plane = pixels.values[0]
    if colour is True or (pixels.is_colour and plane.dtype != np.uint8):
        return pixels.display_u8()
    if plane.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(plane)
    if plane.dtype.kind in "iu" and int(plane.min()) >= 0 and int(plane.max()) <= 65535:
        return np.asarray(plane, np.uint16)
    return np.ascontiguousarray(pixels.display_u8()[:, :, 0])


def index_mask(source: ExportSource, image: StudyImage) -> NDArray[np.uint8]:
    """(H, W) with each target's number, later targets over earlier ones, 0 elsewhere."""
    index = np.zeros((image.size[1], image.size[0]), np.uint8)
    for target in source.targets:
        mask = _mask(source, image, target.name)
        if mask is not None:
            index[mask] = target.number
    return index


def class_masks(source: ExportSource, image: StudyImage) -> dict[str, NDArray[np.bool_]]:
    """The mask of each target that has one."""
    found = {target.name: _mask(source, image, target.name) for target in source.targets}
    return {name: mask for name, mask in found.items() if mask is not None}


def overlap_finding(source: ExportSource) -> list[Finding]:
    """A warning where masks of several targets cover each other, which an index mask cannot hold."""
    if len(source.targets) < 2:
        return []
    torn = []
    for image in source.images:
        masks = class_masks(source, image)
        if len(masks) > 1 and np.sum(list(masks.values()), axis=0).max() > 1:
            torn.append(image.image_id)
    if not torn:
        return []
    text = f"In {len(torn)} images targets cover each other; in index masks the later target wins."
    return [Finding("warning", "overlap", text, tuple(torn))]


def _mask(source: ExportSource, image: StudyImage, target: str) -> NDArray[np.bool_] | None:
    # The reference that came with an image belongs to the study's first target.
    if target != source.study.settings.targets[0].name and image.mask_path:
        return source.mask_without_reference(image, target)
    return source.mask(image, target)[0]
