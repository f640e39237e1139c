"""From a study to a frozen training snapshot: who looked, what was accepted, and which part each image belongs to."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.labels import LabelMaps, LabelParameters
from domain.study import Outcome, StudyImage, TrialStatus
from domain.trial import TrialRecord
from processing.refiner import refiners
from storage.mask_table import WITHOUT_ANSWER
from storage.snapshot_file import MaskOrigin, Snapshot, SnapshotSource, SnapshotWriter, Split
from storage.study import Study
from workflows.make_labels import maps_of_trial

# Share of the cases with masks that is set aside to validate on, where the study itself does not say.
VAL_SHARE = 0.2
_LEFT_OUT = (*WITHOUT_ANSWER, TrialStatus.FLAGGED, TrialStatus.RETURNED)


def freeze_study(
    study: Study,
    folder: Path,
    *,
    target: str = "",
    labels: LabelParameters | None = None,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> Snapshot:
    """Copy all that a training reads: displayed pixels, every annotator's refined map, masks, cases and splits.

    An image takes part where somebody looked at it for this target, or where it has a mask. "No target in this image"
    is an empty map. The study's own splits hold; where it sets none aside to validate, a fifth of the cases with masks
    does. labels: make the maps with these instead of taking the study's stored ones; the study stays as it is.

    Raises:
        UserFacingError: nothing to train on.
        Cancelled: stopped; nothing is left.
    """
    name = target or study.settings.targets[0].name
    images = study.images()
    trials = _usable_trials(study, name)
    splits = parts_of(study, name)
    is_other = labels is not None and labels != study.settings.labels
    maker = _Maker(labels, cancel) if labels is not None and is_other else None
    folder.parent.mkdir(parents=True, exist_ok=True)
    is_simulated = study.settings.is_simulated or any(t.is_simulated for group in trials.values() for t in group)
    n_added = 0
    with SnapshotWriter(
        folder, target=name, labels=labels or study.settings.labels, is_simulated=is_simulated
    ) as writer:
        for number, image in enumerate(images, start=1):
            if cancel is not None:
                cancel.raise_if_cancelled()
            source = _source(study, image, trials.get(image.image_id, []), name, splits[image.image_id], maker)
            if source is not None:
                writer.add(source)
                n_added += 1
            on_progress(Progress(number, len(images), "freezing the study"))
        if not n_added:
            raise UserFacingError(
                f"The study has neither labels nor masks for {name!r}.", "Record gaze or import fixations first."
            )
        return writer.finish(study=study.settings.name)


class _Maker:
    """Makes maps with other label parameters than the study's."""

    def __init__(self, labels: LabelParameters, cancel: CancelToken | None) -> None:
        self._labels = labels
        self._cancel = cancel
        self._refiner = refiners.get(labels.source)()

    def maps(self, study: Study, trial: TrialRecord) -> LabelMaps | None:
        """The trial's maps; none without fixations, as the study would have none stored."""
        if not len(trial.fixations):
            return None
        return maps_of_trial(study, trial, self._labels, self._refiner, cancel=self._cancel)


def parts_of(study: Study, target: str) -> dict[str, Split]:
    """The part of each image: train, val or test."""
    return _splits(study, study.images(), target)


def images_with_gaze(study: Study) -> set[str]:
    """Images with gaze that a training would learn from: looked at, and answered."""
    trials = study.trials(newest_only=True)
    return {trial.image_id for trial in trials if len(trial.fixations) and trial.status not in _LEFT_OUT}


def _usable_trials(study: Study, target: str) -> dict[str, list[TrialRecord]]:
    """The newest trial of each annotator, by image."""
    newest: dict[tuple[str, str], TrialRecord] = {}
    for trial in study.trials(target=target):
        newest[trial.image_id, trial.annotator] = trial
    found: dict[str, list[TrialRecord]] = defaultdict(list)
    for trial in newest.values():
        if trial.status not in _LEFT_OUT:
            found[trial.image_id].append(trial)
    return found


def _source(
    study: Study, image: StudyImage, trials: list[TrialRecord], target: str, split: Split, maker: _Maker | None
) -> SnapshotSource | None:
    size = (image.size[1], image.size[0])
    maps: list[NDArray[np.float32]] = []
    for trial in trials:
        if trial.outcome is Outcome.NO_TARGET:
            maps.append(np.zeros(size, np.float32))
            continue
        labels = study.maps(trial.trial_id) if maker is None else maker.maps(study, trial)
        if labels is not None:
            maps.append(labels.refined)
    mask, origin = _mask(study, image, target)
    if not maps and mask is None:
        return None
    pixels = study.pixels(image.image_id)
    shown = pixels.display_u8(0 if pixels.n_slices == 1 else max(0, image.slice_index))
    return SnapshotSource(
        item_id=image.image_id,
        image=shown,
        maps=maps,
        mask=mask,
        mask_origin=origin,
        case=image.case,
        split=split,
        outside_share=_outside_share(trials),
    )


def _mask(study: Study, image: StudyImage, target: str) -> tuple[NDArray[np.bool_] | None, MaskOrigin]:
    accepted = study.accepted_mask(image.image_id, target)
    if accepted is not None:
        return accepted, "reviewed"
    delivered = study.ground_truth(image.image_id)
    return delivered, "reference" if delivered is not None else ""


def _outside_share(trials: list[TrialRecord]) -> float | None:
    """Part of the fixation time off the image, None without fixations."""
    xy = np.concatenate([t.fixations.xy_norm for t in trials]) if trials else np.zeros((0, 2))
    duration = np.concatenate([t.fixations.duration_ms for t in trials]) if trials else np.zeros(0)
    total = float(duration.sum())
    if total <= 0:
        return None
    is_off = ((xy < 0) | (xy > 1)).any(1)
    return float(duration[is_off].sum()) / total


def _splits(study: Study, images: list[StudyImage], target: str) -> dict[str, Split]:
    """The part of each image, whole cases together."""
    decided = {image.image_id: _as_split(image.split) for image in images}
    if "val" in decided.values():
        return decided
    with_mask: set[str] = set()
    locked = {image.case for image in images if image.split == "test" and image.case}
    for image in images:
        if image.split == "test" or image.case in locked:
            continue
        has = bool(image.mask_path) or study.accepted_mask(image.image_id, target) is not None
        if has:
            with_mask.add(image.case or image.image_id)
    # By hash, not by draw: an image added later does not move the others.
    ordered = sorted(with_mask, key=lambda case: hashlib.sha256(case.encode()).digest())
    chosen = set(ordered[: math.floor(len(ordered) * VAL_SHARE)])
    return {
        image.image_id: "val" if (image.case or image.image_id) in chosen else decided[image.image_id]
        for image in images
    }


def _as_split(text: str) -> Split:
    if text == "val":
        return "val"
    return "test" if text == "test" else "train"
