"""Images of a source as slices of the DICOM series they belong to: in their order, with names that tell it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from processing.dicom_series import find_series
from processing.image_scan import with_free_id
from processing.importer import FoundImage
from storage.file_names import image_id_for
from storage.image_file import stem_of

_UID_NAME = re.compile(r"\d+(\.\d+){4,}")


@dataclass(frozen=True)
class StackedImages:
    """The images of a source, slices of one stack after each other, and what is to be said of them."""

    images: tuple[FoundImage, ...]
    warnings: tuple[str, ...] = ()
    series_sizes: tuple[int, ...] = ()


def in_stacks(images: Sequence[FoundImage], *, single_slices: bool = False) -> StackedImages:
    """Place slices in stacks, unless they are to stay single.

    A file keeps its own name as its id, but where names are UIDs or come twice (each series has its `1-001`), the
    slices of a stack are called by kind and number: `CT-01_001`.
    """
    # The same bytes twice are one slice; the second is told as a duplicate when it is imported.
    seen: set[str] = set()
    facts = {}
    for number, image in enumerate(images):
        if image.facts is not None and image.sha256 not in seen:
            seen.add(image.sha256)
            facts[number] = image.facts
    found = find_series(facts, {number: _shown_name(images[number].path) for number in facts})
    if single_slices:
        return StackedImages(tuple(images), series_sizes=found.sizes)
    stacks: dict[str, list[FoundImage]] = defaultdict(list)
    order: dict[str, None] = {}
    for number, image in enumerate(images):
        place = found.places.get(number)
        key = f"image {number}" if place is None else place.stack
        order[key] = None
        stacks[key].append(image if place is None else replace(image, stack=place.stack, stack_position=place.position))
    stems = Counter(stem_of(image.path).lower() for image in images)
    used = {image.image_id.lower() for image in images}
    result: list[FoundImage] = []
    kinds: Counter[str] = Counter()
    for key in order:
        members = sorted(stacks[key], key=lambda image: image.stack_position)
        kind = (members[0].facts.modality if members[0].facts is not None else "") or "series"
        if members[0].stack and any(_needs_a_name(image, stems) for image in members):
            kinds[kind] += 1
            name, n_digits = f"{image_id_for(kind)}-{kinds[kind]:02d}", max(3, len(str(len(members))))
            members = [
                with_free_id(replace(image, image_id=f"{name}_{number:0{n_digits}d}"), used)
                for number, image in enumerate(members, start=1)
            ]
        result += members
    return StackedImages(tuple(result), found.warnings, found.sizes)


def _shown_name(path: Path) -> str:
    # Each series of an archive has the same file names; the folder tells which one is meant.
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def _needs_a_name(image: FoundImage, stems: Counter[str]) -> bool:
    stem = stem_of(image.path)
    return stems[stem.lower()] > 1 or _UID_NAME.fullmatch(stem) is not None
