"""The frozen training snapshot: a folder with everything one training reads, and a hash of it.

Layout: `snapshot.json` beside `images/NNNNNN.png` (8-bit RGB, as displayed), `maps/NNNNNN-K.png` (16-bit grey, 65535
= 1) and `masks/NNNNNN.png` (8-bit grey, 255 = target). Training never looks at the study, so what is edited there
meanwhile cannot change a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError, NewerVersionError, UserFacingError
from domain.labels import LabelParameters
from storage.atomic_write import write_text_atomically
from storage.map_file import read_map, write_map
from storage.mask_file import read_mask, write_mask

VERSION = 1
INDEX = "snapshot.json"

# Where an item's mask comes from: accepted by a reviewer, or delivered with the images.
MaskOrigin = Literal["", "reviewed", "reference"]
Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class SnapshotItem:
    """One image with what is known of it. File names are relative to the snapshot's folder.

    maps: one per annotator, each 0-1, of the image's size. outside_share: part of the looking time that fell off the
    image, None where unknown. case: patient or volume; images of one case never lie in two splits.
    """

    item_id: str
    image: str
    size: tuple[int, int]
    image_sha256: str
    maps: tuple[str, ...] = ()
    mask: str = ""
    mask_origin: MaskOrigin = ""
    case: str = ""
    split: Split = "train"
    outside_share: float | None = None


@dataclass(frozen=True)
class SnapshotSource:
    """What goes into a snapshot for one image: arrays, or a callable's worth of them, in the image's own size."""

    item_id: str
    image: NDArray[np.uint8]
    maps: Sequence[NDArray[np.float32]] = ()
    mask: NDArray[np.bool_] | None = None
    mask_origin: MaskOrigin = ""
    case: str = ""
    split: Split = "train"
    outside_share: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """An opened snapshot."""

    folder: Path
    target: str
    labels: LabelParameters
    is_simulated: bool
    items: tuple[SnapshotItem, ...]
    digest: str
    notes: dict[str, Any] = field(default_factory=dict)

    def of_split(self, split: Split) -> list[SnapshotItem]:
        """The items of one split, in order."""
        return [item for item in self.items if item.split == split]

    def image(self, item: SnapshotItem) -> NDArray[np.uint8]:
        """Pixels (H, W, 3) uint8, RGB.

        Raises:
            BadFileError: the file is missing or unreadable.
        """
        return np.ascontiguousarray(_decoded(self.folder / item.image, cv2.IMREAD_COLOR)[..., ::-1], dtype=np.uint8)

    def maps(self, item: SnapshotItem) -> list[NDArray[np.float32]]:
        """Maps (H, W) float32 in 0-1, one per annotator."""
        return [read_map(self.folder / name)[0] for name in item.maps]

    def fused_map(self, item: SnapshotItem) -> NDArray[np.float32] | None:
        """The mean of all annotators' maps, None where nobody looked."""
        maps = self.maps(item)
        return np.mean(maps, axis=0, dtype=np.float32) if maps else None

    def mask(self, item: SnapshotItem) -> NDArray[np.bool_] | None:
        """The item's mask (H, W), None where there is none."""
        if not item.mask:
            return None
        return read_mask(self.folder / item.mask)[0]


class SnapshotWriter:
    """Builds a snapshot beside its final place; `finish` publishes it, leaving the block without it removes it."""

    def __init__(self, folder: Path, *, target: str, labels: LabelParameters, is_simulated: bool) -> None:
        if folder.exists():
            raise UserFacingError(f"{folder} exists already.", "Choose another folder for the training snapshot.")
        self._folder = folder
        self._target = target
        self._labels = labels
        self._is_simulated = is_simulated
        self._draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
        self._items: list[SnapshotItem] = []

    def __enter__(self) -> SnapshotWriter:
        for part in ("images", "maps", "masks"):
            (self._draft / part).mkdir(parents=True)
        return self

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self._draft, ignore_errors=True)

    def add(self, source: SnapshotSource) -> None:
        """Store one image with its maps and mask.

        Raises:
            UserFacingError: a map or mask has another size than its image.
        """
        height, width = source.image.shape[:2]
        extras = [*source.maps, *([] if source.mask is None else [source.mask])]
        if any(extra.shape != (height, width) for extra in extras):
            shapes = [extra.shape for extra in extras]
            raise UserFacingError(
                f"A map or mask of {source.item_id} does not have its image's size: {shapes} and {(height, width)}.",
                "Make its labels again.",
            )
        name = f"{len(self._items):06d}"
        image = f"images/{name}.png"
        rgb = source.image if source.image.ndim == 3 else np.repeat(source.image[..., None], 3, axis=2)
        _write_png(self._draft / image, np.ascontiguousarray(rgb[..., ::-1]))
        maps = []
        for index, values in enumerate(source.maps):
            maps.append(f"maps/{name}-{index}.png")
            write_map(self._draft / maps[-1], values, {})
        mask = ""
        if source.mask is not None:
            mask = f"masks/{name}.png"
            write_mask(self._draft / mask, source.mask, {})
        self._items.append(
            SnapshotItem(
                item_id=source.item_id,
                image=image,
                size=(width, height),
                image_sha256=hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest(),
                maps=tuple(maps),
                mask=mask,
                mask_origin=source.mask_origin if source.mask is not None else "",
                case=source.case,
                split=source.split,
                outside_share=source.outside_share,
            )
        )

    def finish(self, **notes: Any) -> Snapshot:  # notes are any JSON values
        """Write the index with the hash of all content, and move the folder to its place."""
        digest = _content_digest(self._draft, self._items)
        index = {
            "format": "sightline training snapshot",
            "version": VERSION,
            "digest": digest,
            "target": self._target,
            "is_simulated": self._is_simulated,
            "labels": self._labels.as_json(),
            "notes": notes,
            "items": [_item_json(item) for item in self._items],
        }
        write_text_atomically(self._draft / INDEX, json.dumps(index, indent=1))
        os.replace(self._draft, self._folder)
        return read_snapshot(self._folder)


def read_snapshot(folder: Path, *, verify: bool = False) -> Snapshot:
    """Open a snapshot; `verify` also reads every file and compares the hash.

    Raises:
        BadFileError: not a snapshot, damaged, or changed since it was frozen.
        NewerVersionError: written by a newer Sightline.
    """
    path = folder / INDEX
    try:
        index = json.loads(path.read_text("utf-8"))
        version = int(index["version"])
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
        raise BadFileError(f"{path} is not a training snapshot: {error}.", "Freeze the study again.") from error
    if version > VERSION:
        raise NewerVersionError(f"{path} has version {version}, this Sightline reads {VERSION}.", "Update Sightline.")
    try:
        items = tuple(_item_from_json(entry) for entry in index["items"])
        snapshot = Snapshot(
            folder=folder,
            target=str(index["target"]),
            labels=LabelParameters.from_json(index["labels"]),
            is_simulated=bool(index["is_simulated"]),
            items=items,
            digest=str(index["digest"]),
            notes=dict(index.get("notes", {})),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadFileError(f"{path} is damaged: {error}.", "Freeze the study again.") from error
    if verify and _content_digest(folder, items) != snapshot.digest:
        raise BadFileError(f"{folder} was changed after it was frozen.", "Freeze the study again.")
    return snapshot


def with_splits(snapshot: Snapshot, splits: dict[str, Split]) -> Snapshot:
    """The same snapshot with other splits for some items, for comparisons; nothing is written."""
    items = tuple(replace(item, split=splits.get(item.item_id, item.split)) for item in snapshot.items)
    return replace(snapshot, items=items)


def _content_digest(folder: Path, items: Sequence[SnapshotItem]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(json.dumps(_item_json(item), sort_keys=True).encode())
        for name in (item.image, *item.maps, item.mask):
            if name:
                try:
                    digest.update((folder / name).read_bytes())
                except OSError as error:
                    raise BadFileError(
                        f"{folder / name} cannot be read: {error}.", "Freeze the study again."
                    ) from error
    return digest.hexdigest()


def _item_json(item: SnapshotItem) -> dict[str, Any]:
    return {**asdict(item), "size": list(item.size), "maps": list(item.maps)}


def _item_from_json(values: dict[str, Any]) -> SnapshotItem:
    for name in (values["image"], *values["maps"], values["mask"]):
        # A snapshot may come from elsewhere; it must not name files outside its own folder.
        if PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts:
            raise ValueError(f"{name!r} lies outside the snapshot")
    width, height = values["size"]
    return SnapshotItem(
        **{
            **values,
            "size": (int(width), int(height)),
            "maps": tuple(values["maps"]),
        }
    )


def _write_png(path: Path, values: NDArray[Any]) -> None:
    done, encoded = cv2.imencode(".png", values, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise BadFileError(f"{path} could not be written as PNG.")
    # imencode and write_bytes instead of imwrite: OpenCV cannot open every path on Windows.
    path.write_bytes(encoded.tobytes())


def _decoded(path: Path, flags: int) -> NDArray[Any]:
    try:
        values = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    except (OSError, cv2.error) as error:
        raise _unreadable(path, error) from error
    if values is None:
        raise BadFileError(f"{path} is not a readable image.", "Freeze the study again.")
    return np.asarray(values)


def _unreadable(path: Path, error: Exception) -> BadFileError:
    return BadFileError(f"{path} cannot be read: {error}.", "Freeze the study again.")
