"""Which stack of a study the slices of an import belong to, so that nothing is mixed with what came before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from domain.study import StudyImage
from processing.dicom_series import SAME_PLACE_MM
from processing.importer import FoundImage
from storage.dicom_copy import DicomCopier
from storage.study import Study

_MADE_UP = re.compile(r"([A-Z]+-\d{2,})_\d{3,}", re.IGNORECASE)


def keys_of_stacks(
    study: Study, images: Sequence[FoundImage], renamed: Mapping[str, str], copier: DicomCopier
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The study's name of each stack that was found, and what is to be said.

    Slices join what the study has of their series, unless other images lie at their places: another phase that nothing
    told apart, or a series that was sent again with other content. Those become a stack of their own.
    """
    there: dict[str, dict[str, float]] = defaultdict(dict)
    for known in study.images():
        if known.stack:
            there[known.stack][known.image_id] = known.stack_position
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for image in images:
        if image.stack:
            found[image.stack][renamed[image.image_id]] = image.stack_position
    keys, notes = {}, []
    for stack, mine in found.items():
        tried = []
        for number in count(1):
            tried.append(copier.stack_key(stack if number == 1 else f"{stack}|{number}"))
            if not there[tried[-1]]:
                break
        joined = next((key for key in tried if mine.keys() & there[key].keys()), "")
        keys[stack] = joined or next(key for key in tried if not _meet(mine, there[key]))
        if not joined and keys[stack] != tried[0]:
            first = min(mine)
            notes.append(f"Other images of the study lie where those of {first} lie; they are a stack of their own.")
    return keys, tuple(notes)


def free_stack_names(images: Sequence[FoundImage], taken: Collection[str]) -> list[FoundImage]:
    """The images, stacks whose made-up names (`CT-01_001`) are taken under the next free number.

    taken: names of the study's images in lower case.
    """
    stacks: dict[str, list[FoundImage]] = defaultdict(list)
    for image in images:
        if image.stack and _MADE_UP.fullmatch(image.image_id):
            stacks[image.stack].append(image)
    used = {match[1] for name in taken if (match := _MADE_UP.fullmatch(name))}
    used |= {_prefix(members[0]).lower() for members in stacks.values()}
    renamed: dict[str, str] = {}
    for members in stacks.values():
        if not any(image.image_id.lower() in taken for image in members):
            continue
        kind = _prefix(members[0]).rsplit("-", 1)[0]
        free = next(name for number in count(1) if (name := f"{kind}-{number:02d}").lower() not in used)
        used.add(free.lower())
        renamed |= {image.image_id: f"{free}_{image.image_id.rsplit('_', 1)[1]}" for image in members}
    return [replace(image, image_id=renamed.get(image.image_id, image.image_id)) for image in images]


def _prefix(image: FoundImage) -> str:
    return image.image_id.rsplit("_", 1)[0]


def joining_a_stack(
    study: Study, images: Sequence[FoundImage], renamed: Mapping[str, str], keys: Mapping[str, str]
) -> list[StudyImage]:
    """Images that the study has already, as they are when they join the stack that was found now."""
    wanted = {renamed[image.image_id]: image for image in images if image.stack}
    joining = []
    for known in study.images():
        image = wanted.get(known.image_id)
        if image is None or known.stack or known.sha256 != image.sha256 or known.slice_index >= 0:
            continue
        joining.append(replace(known, stack=keys[image.stack], stack_position=image.stack_position))
    return joining


def _meet(mine: Mapping[str, float], others: Mapping[str, float]) -> bool:
    """Whether an image of one lies at a place of the other."""
    places = np.sort(np.array([at for name, at in others.items() if name not in mine], np.float64))
    if not places.size:
        return False
    for name, at in mine.items():
        near = int(np.searchsorted(places, at - SAME_PLACE_MM))
        if name not in others and near < places.size and places[near] <= at + SAME_PLACE_MM:
            return True
    return False
