"""What is wrong with the data, before hours are spent on it; each finding says what to do.

Here what concerns the images and their parts; labels are judged in `training.label_checks`.
"""

from __future__ import annotations

from collections import defaultdict

from domain.events import CancelToken, OnProgress, Progress, no_progress
from storage.snapshot_file import Snapshot, SnapshotItem
from training.config import TrainConfig
from training.finding import Finding
from training.label_checks import Facts, label_findings, look
from training.supervision import trainable

MIN_IMAGES = 4
MAX_COPIES_SHARE = 0.2


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
        facts.append(look(snapshot, item, config))
        on_progress(Progress(number, len(snapshot.items), "checking images and labels"))
        if cancel is not None:
            cancel.raise_if_cancelled()
    return [*findings, *_unreadable(facts), *label_findings(facts, snapshot)]


def _too_few(snapshot: Snapshot, config: TrainConfig) -> list[Finding]:
    usable = trainable(snapshot, config)
    n = len({item.image_sha256 for item in usable})
    if n >= MIN_IMAGES:
        return []
    copies = " (copies count once)" if n < len(usable) else ""
    return [
        Finding(
            "too few images",
            f"Only {n} images have labels to train on{copies}; at least {MIN_IMAGES} are needed.",
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
                "Remove the copies, or keep all of them in one part: else the figures lie.",
                names,
            )
        )
    within = tuple(item.item_id for group in doubles if group not in across for item in group)
    if within:
        n_copies = len(within) - sum(group not in across for group in doubles)
        found.append(
            Finding(
                "duplicates",
                f"{len(within)} images are copies of each other, for example {within[0]} and {within[1]}.",
                "Remove the copies: they count several times in training and in the figures.",
                within,
                n_copies > MAX_COPIES_SHARE * len(snapshot.items),
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


def _unreadable(facts: list[Facts]) -> list[Finding]:
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
