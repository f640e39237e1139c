"""Small pictures of images, made once and kept in the study's cache folder."""

from __future__ import annotations

import hashlib
import logging
import os

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.study import Study

_log = logging.getLogger(__name__)
CACHE_FOLDER = "cache"


def thumbnail(study: Study, image_id: str, *, size_px: int = 160) -> NDArray[np.uint8]:
    """The middle slice of an image as RGB (h, w, 3), at most `size_px` long; from the cache where it is there."""
    image = study.image(image_id)
    key = hashlib.sha256(f"{image_id}|{image.sha256}|{image.slice_index}|{size_px}".encode()).hexdigest()[:24]
    path = study.folder / CACHE_FOLDER / f"{key}.png"
    if path.is_file():
        encoded = np.fromfile(path, np.uint8)
        kept = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
        if kept is not None:
            return np.ascontiguousarray(kept[..., ::-1])
    pixels = study.pixels(image_id)
    small = shrunk(pixels.display_u8(pixels.n_slices // 2), size_px)
    try:
        path.parent.mkdir(exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}.part")
        cv2.imencode(".png", np.ascontiguousarray(small[..., ::-1]))[1].tofile(beside)
        os.replace(beside, path)
    except OSError as problem:
        _log.warning("thumbnail of %s was not kept: %s", image_id, problem)
    return small


def shrunk(rgb: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """A picture made small enough, averaging over area."""
    height, width = rgb.shape[:2]
    scale = size_px / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
