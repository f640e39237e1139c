"""train.txt, val.txt and test.txt: which image is for what."""

from __future__ import annotations

from pathlib import Path

from processing.table_text import read_text

_KINDS = (("train", "train"), ("val", "val"), ("test", "test"))


def read_splits(folder: Path) -> dict[str, str]:
    """Split of each image name found in the folder's split files (`train.txt`, `nci-isbi-test.txt`, ...).

    A name is the first word of a line, as the published loaders read it; names in two files keep the first.
    """
    splits: dict[str, str] = {}
    if not folder.is_dir():
        return splits
    for word, split in _KINDS:
        for path in sorted(folder.glob("*.txt")):
            stem = path.stem.lower()
            if stem == word or stem.endswith((f"-{word}", f"_{word}")):
                for line in read_text(path).splitlines():
                    name = line.split()[0] if line.split() else ""
                    if name:
                        splits.setdefault(_without_ending(name), split)
    return splits


def _without_ending(name: str) -> str:
    return name[:-4] if name.lower().endswith((".jpg", ".png", ".dcm", ".tif", ".bmp")) else name
