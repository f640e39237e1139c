"""What is wrong with the data, before hours are spent on it; each finding says what to do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from domain.errors import BadFileError, UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from storage.snapshot_file import Snapshot, SnapshotItem
from training.config import TrainConfig
from training.scores import dice
from training.supervision import trainable

MIN_IMAGES = 4
# Gaze of a webcam put 17 % of its fixations inside the target; its labels had Dice 0.12-0.17 and the network Dice 0.000
# (a published re-run). An eye tracker's labels have 0.75.
MIN_LABEL_DICE = 0.3
MAX_OUTSIDE_SHARE = 0.5
MAX_EMPTY_SHARE = 0.5
MAX_TARGET_SHARE = 0.95


@dataclass(frozen=True)
class Finding:
    """One thing the check found. `items` are the images concerned; a fatal finding refuses the training."""

    kind: str
    message: str
    hint: str
    items: tuple[str, ...] = ()
    is_fatal: bool = True


@dataclass(frozen=True)
class _Facts:
    """What one look at an item's files told."""

    item: SnapshotItem
    problem: str = ""
    label_share: float = float("nan")
    label_dice: float = float("nan")


def check(
    snapshot: Snapshot,
    config: TrainConfig,
    *,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> list[Finding]:
    """Everything that speaks against training on this snapshot; empty when all is well.

    Raises:
        Cancelled: stopped by the user.
    """
    findings = [*_too_few(snapshot, config), *_missing_labels(snapshot, config), *_doubles(snapshot), *_leaks(snapshot)]
    facts = []
    for number, item in enumerate(snapshot.items, start=1):
        facts.append(_look(snapshot, item, config))
        on_progress(Progress(number, len(snapshot.items), "checking images and labels"))
        if cancel is not None:
            cancel.raise_if_cancelled()
    return [*findings, *_unreadable(facts), *_empty(facts), *_inverted(facts), *_off_image(snapshot), *_wild(facts)]


def refuse_if_fatal(findings: list[Finding]) -> None:
    """Raise the first finding that forbids training.

    Raises:
        UserFacingError: there is one.
    """
    for finding in findings:
        if finding.is_fatal:
            raise UserFacingError(finding.message, finding.hint)


def _look(snapshot: Snapshot, item: SnapshotItem, config: TrainConfig) -> _Facts:
    try:
        image = snapshot.image(item)
        if image.shape[:2] != (item.size[1], item.size[0]):
            return _Facts(item, f"its image has size {image.shape[1]} x {image.shape[0]} instead of {item.size}")
        fused = snapshot.fused_map(item)
        mask = snapshot.mask(item)
    except BadFileError as error:
        return _Facts(item, str(error))
    label = mask if config.supervision != "gaze" else None if fused is None else fused >= config.thresholds[0]
    if label is None:
        return _Facts(item)
    reviewed = mask is not None and item.mask_origin == "reviewed" and config.supervision == "gaze"
    return _Facts(item, "", float(label.mean()), dice(label, mask) if reviewed and mask is not None else float("nan"))


def _too_few(snapshot: Snapshot, config: TrainConfig) -> list[Finding]:
    n = len(trainable(snapshot, config))
    if n >= MIN_IMAGES:
        return []
    return [
        Finding(
            "too few images",
            f"Only {n} images have labels to train on; at least {MIN_IMAGES} are needed.",
            "Record or import more. From about 50 images on, training begins to make sense.",
        )
    ]


def _missing_labels(snapshot: Snapshot, config: TrainConfig) -> list[Finding]:
    usable = {item.item_id for item in trainable(snapshot, config)}
    missing = tuple(item.item_id for item in snapshot.of_split("train") if item.item_id not in usable)
    what = "gaze map" if config.supervision == "gaze" else "mask"
    if not missing:
        return []
    return [
        Finding(
            "missing labels",
            f"{len(missing)} images have no {what} and are left out, for example {missing[0]}.",
            "Make their labels to train on them too.",
            missing,
            is_fatal=False,
        )
    ]


def _doubles(snapshot: Snapshot) -> list[Finding]:
    seen: dict[str, list[SnapshotItem]] = defaultdict(list)
    for item in snapshot.items:
        seen[item.image_sha256].append(item)
    doubles = [group for group in seen.values() if len(group) > 1]
    found = []
    across = [group for group in doubles if len({item.split for item in group}) > 1]
    if across:
        names = tuple(item.item_id for group in across for item in group)
        found.append(
            Finding(
                "leakage",
                f"The same picture is in several parts (train, val, test): {names[0]} and {names[1]}.",
                "Keep each picture in one part only, else the figures lie.",
                names,
            )
        )
    within = tuple(item.item_id for group in doubles if group not in across for item in group)
    if within:
        found.append(
            Finding(
                "duplicates", f"{len(within)} images are copies of each other.", "Remove the copies.", within, False
            )
        )
    return found


def _leaks(snapshot: Snapshot) -> list[Finding]:
    splits: dict[str, set[str]] = defaultdict(set)
    for item in snapshot.items:
        if item.case:
            splits[item.case].add(item.split)
    cases = sorted(case for case, found in splits.items() if len(found) > 1)
    if not cases:
        return []
    items = tuple(item.item_id for item in snapshot.items if item.case in cases)
    return [
        Finding(
            "leakage",
            f"{len(cases)} cases (patients) have images in several of train, val and test, for example {cases[0]}.",
            "Split by case: all images of a patient belong to one part.",
            items,
        )
    ]


def _unreadable(facts: list[_Facts]) -> list[Finding]:
    bad = [fact for fact in facts if fact.problem]
    if not bad:
        return []
    return [
        Finding(
            "unreadable",
            f"{len(bad)} images cannot be used: {bad[0].item.item_id}: {bad[0].problem}.",
            "Freeze the study again, without them if they stay unreadable.",
            tuple(fact.item.item_id for fact in bad),
        )
    ]


def _empty(facts: list[_Facts]) -> list[Finding]:
    trained = [fact for fact in facts if fact.item.split == "train" and not np.isnan(fact.label_share)]
    empty = tuple(fact.item.item_id for fact in trained if fact.label_share == 0)
    if not empty:
        return []
    share = len(empty) / len(trained)
    return [
        Finding(
            "empty labels",
            f"{len(empty)} of {len(trained)} training labels are empty ({share:.0%}).",
            "Lower the thresholds, or mark these images as having no target.",
            empty,
            share > MAX_EMPTY_SHARE,
        )
    ]


def _inverted(facts: list[_Facts]) -> list[Finding]:
    full = tuple(fact.item.item_id for fact in facts if fact.label_share > MAX_TARGET_SHARE)
    if not full:
        return []
    share = len(full) / len(facts)
    return [
        Finding(
            "inverted labels",
            f"{len(full)} labels cover more than {MAX_TARGET_SHARE:.0%} of their image, for example {full[0]}.",
            "Such labels are usually inverted: white must be the target.",
            full,
            share > 0.2,
        )
    ]


def _off_image(snapshot: Snapshot) -> list[Finding]:
    known = [(item.item_id, item.outside_share) for item in snapshot.items if item.outside_share is not None]
    off = tuple(name for name, share in known if share > MAX_OUTSIDE_SHARE)
    if not off:
        return []
    return [
        Finding(
            "gaze off the image",
            f"In {len(off)} of {len(known)} images most of the looking time lies off the image.",
            "Calibrate again, and record these images once more.",
            off,
            len(off) > 0.5 * len(known),
        )
    ]


def _wild(facts: list[_Facts]) -> list[Finding]:
    known = [fact for fact in facts if not np.isnan(fact.label_dice)]
    if len(known) < 3:
        return []
    mean = float(np.mean([fact.label_dice for fact in known]))
    if mean >= MIN_LABEL_DICE:
        return []
    return [
        Finding(
            "labels disagree with reviewed masks",
            f"On {len(known)} reviewed images the gaze labels have Dice {mean:.2f}; below {MIN_LABEL_DICE} a network "
            "learns nothing (webcam gaze with 0.12-0.17 gave test Dice 0.000 in a published re-run).",
            "Check the tracker's accuracy, the image's place on the screen, sigma and thresholds.",
            tuple(fact.item.item_id for fact in known),
        )
    ]
