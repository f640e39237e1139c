"""Which DICOM files with one slice each belong together as a stack, and in which order they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from storage.dicom_geometry import MARKS, SliceFacts, is_same_direction, normal_of, uneven_steps

SAME_PLACE_MM = 1e-2
"""Positions nearer than this are one place."""
FEW_TWICE = 0.1
"""Up to this share of places may hold a second image that nothing tells apart; it stays an image of its own."""
_CROSS_SECTIONS = ("CT", "MR", "PT", "NM", "OPT")
"""Modalities whose files of one series are slices even where they do not say where they lie."""
_PHYSICS = ("EchoTime", "InversionTime", "DiffusionBValue", "TemporalPositionIdentifier")
"""Marks that are the same on all slices of a stack, and so tell its slices from those of another import's."""

Axis = dict[int, float]  # number of a file to its place on the axis


@dataclass(frozen=True)
class Place:
    """Where a slice lies: in which stack (the key holds the original series UID), and where on its axis."""

    stack: str
    position: float


@dataclass(frozen=True)
class FoundSeries:
    """Stacks that were found. places: by the number of the file; sizes: slices of each series, single slices too."""

    places: Mapping[int, Place] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


def find_series(facts: Mapping[int, SliceFacts], names: Mapping[int, str]) -> FoundSeries:
    """Group slices by series, size and direction, and order each group along its normal.

    facts, names: of each file, by its number, in natural order of the files. Where positions are not said, the slice
    location counts, then the number of the instance, then the order of the files. Images at the same place are told
    apart by echo, phase or time; where nothing tells them apart, they stay images of their own.
    """
    by_series: dict[str, list[int]] = defaultdict(list)
    for number, one in facts.items():
        if one.series_uid and one.n_frames == 1:
            by_series[one.series_uid].append(number)
    places: dict[int, Place] = {}
    sizes: list[int] = []
    warnings: list[str] = []
    for numbers in by_series.values():
        if len(numbers) == 1:
            sizes.append(1)
            continue
        said: list[str] = []
        groups = _groups(numbers, facts)
        kept = [group for group in groups if len(group) > 1 and not facts[group[0]].is_localizer]
        n_odd = len(numbers) - sum(map(len, kept))
        if n_odd and (kept or facts[numbers[0]].is_localizer):
            said.append(f"{n_odd} localizers or images of another size or direction stay single.")
        for group in kept:
            for mark, axis in _stacks_of(group, facts, said).items():
                key = _key([facts[number] for number in axis], mark)
                places |= {number: Place(key, at) for number, at in axis.items()}
                sizes.append(len(axis))
        warnings += [f"Series of {names[numbers[0]]}: {text}" for text in said]
    return FoundSeries(places, tuple(sorted(sizes, reverse=True)), tuple(warnings))


def _key(members: Sequence[SliceFacts], mark: str) -> str:
    """The same for the same stack, whichever of its slices are imported together."""
    one = members[0]
    direction = [round(value, 2) + 0.0 for value in one.orientation or ()]
    same = [f"{name}={one.marks.get(name, '')}" for name in _PHYSICS if len({m.marks.get(name) for m in members}) == 1]
    others = [part for part in mark.split("|") if part.split("=")[0] not in _PHYSICS]
    return "|".join(map(str, (one.series_uid, one.kind, direction, *same, *others)))


def _groups(numbers: Sequence[int], facts: Mapping[int, SliceFacts]) -> list[list[int]]:
    groups: list[list[int]] = []
    for number in numbers:
        one = facts[number]
        for group in groups:
            other = facts[group[0]]
            same = (one.kind, one.is_localizer) == (other.kind, other.is_localizer)
            if same and is_same_direction(one.orientation, other.orientation):
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


def _stacks_of(group: Sequence[int], facts: Mapping[int, SliceFacts], said: list[str]) -> dict[str, Axis]:
    """The stacks of one group by what tells them apart; `said` gets warnings."""
    axis, is_mm = _axis(group, facts)
    if not axis:
        return {}
    stacks = _without_double_places(axis, facts, said)
    if is_mm:
        for members in stacks.values():
            step, n_missing, n_uneven = uneven_steps(sorted(members.values()))
            if n_missing:
                words = "1 slice seems" if n_missing == 1 else f"{n_missing} slices seem"
                said.append(f"{words} to be missing (the others are {step:.4g} mm apart).")
            if n_uneven:
                said.append(f"the distance between slices is uneven ({n_uneven} steps are not {step:.4g} mm).")
    return {mark: members for mark, members in stacks.items() if len(members) > 1}


def _axis(group: Sequence[int], facts: Mapping[int, SliceFacts]) -> tuple[Axis, bool]:
    """The place of each slice, and whether it is in mm; nothing where these are no slices."""
    ones = [facts[number] for number in group]
    normal = None if ones[0].orientation is None else normal_of(ones[0].orientation)
    if normal is not None and all(one.position is not None for one in ones):
        return {n: float(normal @ np.asarray(one.position)) for n, one in zip(group, ones, strict=True)}, True
    if all(one.slice_location is not None for one in ones):
        return {n: float(one.slice_location or 0.0) for n, one in zip(group, ones, strict=True)}, True
    if any(one.modality not in _CROSS_SECTIONS for one in ones):
        return {}, False
    if all(one.instance_number is not None for one in ones):
        return {n: float(one.instance_number or 0) for n, one in zip(group, ones, strict=True)}, False
    return {number: float(order) for order, number in enumerate(group)}, False


def _without_double_places(axis: Axis, facts: Mapping[int, SliceFacts], said: list[str]) -> dict[str, Axis]:
    places = _places(axis)
    n_most = max(map(len, places))
    if n_most == 1:
        return {"": axis}
    for names in [(name,) for name in MARKS] + list(combinations(MARKS, 2)):
        parts: dict[str, Axis] = defaultdict(dict)
        for number, at in axis.items():
            parts["|".join(f"{name}={facts[number].marks.get(name, '')}" for name in names)][number] = at
        # A mark that is another on every slice tells nothing apart.
        is_split = 2 <= len(parts) <= 2 * n_most and 2 * len(parts) <= len(axis)
        if is_split and all(max(map(len, _places(part))) == 1 for part in parts.values()):
            said.append(f"{len(parts)} stacks, told apart by {' and '.join(names)}.")
            return dict(parts)
    n_twice = sum(len(place) - 1 for place in places)
    if n_twice <= FEW_TWICE * len(places):
        said.append(f"{n_twice} images lie where another image lies; they stay single images.")
        return {"": {place[0]: axis[place[0]] for place in places}}
    said.append(f"several images lie at each place, and nothing tells them apart; all {len(axis)} stay single images.")
    return {}


def _places(axis: Axis) -> list[list[int]]:
    """Numbers of the files at each place, in order."""
    found: list[list[int]] = []
    last = -np.inf
    for number, at in sorted(axis.items(), key=lambda item: item[1]):
        if at - last > SAME_PLACE_MM:
            found.append([])
        found[-1].append(number)
        last = at
    return found
