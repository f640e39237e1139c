"""What one look at each label tells before a training: empty, inverted, off the image, or of something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError
from storage.snapshot_file import Snapshot, SnapshotItem
from training.config import TrainConfig
from training.finding import Finding
from training.scores import dice

# Gaze of a webcam put 17 % of its fixations inside the target; its labels had Dice 0.12-0.17 and the network Dice 0.000
# (a published re-run). An eye tracker's labels have 0.75.
MIN_LABEL_DICE = 0.3
FEWEST_COMPARED = 3
MAX_OUTSIDE_SHARE = 0.5
MAX_EMPTY_SHARE = 0.5
MAX_TARGET_SHARE = 0.95
# A target may fill half of an image, or touch its edge; what fills most of it all around is what lies about a target.
INVERTED_SHARE = 0.5
INVERTED_BORDER = 0.8
MAX_INVERTED = 0.2

_NONE = float("nan")


@dataclass(frozen=True)
class Facts:
    """What one item's files told; not a number where there is nothing to tell.

    label_share: part of the image that the label covers at its first threshold. has_core: something reaches the highest
    threshold. is_meant_empty: the label is zero everywhere, as where somebody said that there is no target.
    label_dice, inverse_dice: of the label with the item's mask, and with all that is not mask.
    """

    item: SnapshotItem
    problem: str = ""
    label_share: float = _NONE
    border_share: float = _NONE
    has_core: bool = True
    is_meant_empty: bool = False
    label_dice: float = _NONE
    inverse_dice: float = _NONE

    @property
    def is_labelled(self) -> bool:
        """Whether there is a label to judge."""
        return not np.isnan(self.label_share)

    @property
    def looks_inverted(self) -> bool:
        """Whether the label covers what lies about a target."""
        surrounds = self.label_share > INVERTED_SHARE and self.border_share > INVERTED_BORDER
        return self.label_share > MAX_TARGET_SHARE or surrounds


def look(snapshot: Snapshot, item: SnapshotItem, config: TrainConfig) -> Facts:
    """Open all files of an item."""
    try:
        image = snapshot.image(item)
        if image.shape[:2] != (item.size[1], item.size[0]):
            return Facts(item, f"its image has size {image.shape[1]} x {image.shape[0]} instead of {item.size}")
        fused = snapshot.fused_map(item)
        mask = snapshot.mask(item)
    except BadFileError as error:
        return Facts(item, str(error))
    if config.supervision != "gaze":
        return Facts(item) if mask is None else _facts(item, mask, has_core=bool(mask.any()), highest=float(mask.max()))
    if fused is None:
        return Facts(item)
    label = fused >= config.thresholds[0]
    highest = float(fused.max())
    # The test part stays locked: nothing is decided by its masks.
    compared = None if item.split == "test" else mask
    return _facts(item, label, has_core=highest >= max(config.thresholds), highest=highest, mask=compared)


def label_findings(facts: list[Facts], snapshot: Snapshot) -> list[Finding]:
    """Everything that speaks against these labels."""
    checks: list[Callable[[list[Facts]], list[Finding]]] = [_empty, _inverted, _wild]
    return [*(finding for check in checks for finding in check(facts)), *_off_image(snapshot)]


def _facts(
    item: SnapshotItem,
    label: NDArray[np.bool_],
    *,
    has_core: bool,
    highest: float,
    mask: NDArray[np.bool_] | None = None,
) -> Facts:
    border = np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])
    return Facts(
        item,
        label_share=float(label.mean()),
        border_share=float(border.mean()),
        has_core=has_core,
        is_meant_empty=highest == 0,
        label_dice=_NONE if mask is None else dice(label, mask),
        inverse_dice=_NONE if mask is None else dice(label, ~mask),
    )


def _empty(facts: list[Facts]) -> list[Finding]:
    trained = [fact for fact in facts if fact.item.split == "train" and fact.is_labelled]
    empty = [fact for fact in trained if not fact.has_core]
    if not empty:
        return []
    # "No target in this image" is an answer, not a fault; but where nobody ever saw one, nothing is learned.
    faulty = [fact for fact in empty if not fact.is_meant_empty]
    n_asked = len(trained) - (len(empty) - len(faulty))
    told = len(empty) - len(faulty)
    meant = f"; in {told} of them somebody said that there is no target" if told else ""
    return [
        Finding(
            "empty labels",
            f"{len(empty)} of {len(trained)} training labels are empty at the highest threshold "
            f"({len(empty) / len(trained):.0%}){meant}.",
            "Lower the thresholds, or mark these images as having no target.",
            tuple(fact.item.item_id for fact in empty),
            len(empty) == len(trained) or len(faulty) > MAX_EMPTY_SHARE * n_asked,
        )
    ]


def _inverted(facts: list[Facts]) -> list[Finding]:
    labelled = [fact for fact in facts if fact.is_labelled]
    found = tuple(fact.item.item_id for fact in labelled if fact.looks_inverted)
    if not found:
        return []
    return [
        Finding(
            "inverted labels",
            f"{len(found)} of {len(labelled)} labels cover most of their image and its border, for example {found[0]}.",
            "Such labels are usually inverted: white must be the target.",
            found,
            len(found) > MAX_INVERTED * len(labelled),
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


def _wild(facts: list[Facts]) -> list[Finding]:
    # Where there is no target, both are empty and agree: that says nothing of gaze.
    known = [fact for fact in facts if not np.isnan(fact.label_dice) and not fact.is_meant_empty]
    if len(known) < FEWEST_COMPARED:
        return []
    mean = float(np.mean([fact.label_dice for fact in known]))
    if mean >= MIN_LABEL_DICE:
        return []
    if float(np.mean([fact.inverse_dice for fact in known])) > 1 - MIN_LABEL_DICE:
        return [
            Finding(
                "inverted labels",
                f"On {len(known)} images the gaze labels agree with what is not mask; with the masks they have Dice "
                f"{mean:.2f}.",
                "The masks or the labels are inverted: white must be the target.",
                tuple(fact.item.item_id for fact in known),
            )
        ]
    return [
        Finding(
            "labels disagree with reviewed masks",
            f"On {len(known)} images with a mask the gaze labels have Dice {mean:.2f}; below {MIN_LABEL_DICE} a "
            "network learns nothing (webcam gaze with 0.12-0.17 gave test Dice 0.000 in a published re-run).",
            "Check the tracker's accuracy, the image's place on the screen, sigma and thresholds.",
            tuple(fact.item.item_id for fact in known),
        )
    ]
