"""What an exporter draws from: the images, reads, maps and masks of a study that were chosen for an export."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.events import CancelToken
from domain.labels import LabelMaps
from domain.pixels import ImagePixels
from domain.study import Outcome, StudyImage, Target, TrialStatus
from domain.trial import TrialRecord
from processing.exporter import ExportOptions
from processing.labels import make_label_maps, merge_label_maps, no_target_maps
from storage.study import Study

Mask = NDArray[np.bool_]
NOT_COUNTED = (TrialStatus.NEW, TrialStatus.IN_PROGRESS, TrialStatus.SKIPPED, TrialStatus.RETURNED)


class ExportSource:
    """The chosen part of a study. Reading only; methods may be called from several threads."""

    def __init__(self, study: Study, options: ExportOptions, *, cancel: CancelToken | None = None) -> None:
        self.study = study
        self.options = options
        self.labels = study.settings.labels
        self.cancel = cancel
        self._trials = [
            trial
            for trial in study.trials(newest_only=True)
            if trial.status not in NOT_COUNTED and (not options.annotators or trial.annotator in options.annotators)
        ]
        known = {person.name for person in study.annotators()} | {trial.annotator for trial in self._trials}
        unknown = [name for name in options.annotators if name not in known]
        if unknown:
            raise UserFacingError(f"The study has no annotator {unknown[0]!r}.", f"Known: {', '.join(sorted(known))}.")

    @cached_property
    def target(self) -> Target:
        """The chosen target, or the first that was annotated."""
        targets = self.study.settings.targets
        if self.options.target:
            for target in targets:
                if target.name == self.options.target:
                    return target
            names = ", ".join(target.name for target in targets)
            raise UserFacingError(f"The study has no target {self.options.target!r}.", f"Known: {names}.")
        annotated = {trial.target for trial in self._trials}
        return next((target for target in targets if target.name in annotated), targets[0])

    @property
    def targets(self) -> list[Target]:
        """The chosen target, or all of the study."""
        return [self.target] if self.options.target else list(self.study.settings.targets)

    @cached_property
    def images(self) -> list[StudyImage]:
        """The images of the export with their splits decided.

        Images that were annotated only for another target are left out when one target is chosen or implied.
        """
        mine = {trial.image_id for trial in self._trials if trial.target == self.target.name}
        others = {trial.image_id for trial in self._trials} - mine
        chosen = [image for image in self.study.images() if image.image_id not in others]
        if self.options.only_with_gaze:
            chosen = [image for image in chosen if image.image_id in mine]
        return with_splits(chosen, test_share=self.options.test_share, seed=self.options.seed)

    @cached_property
    def annotators(self) -> list[str]:
        """Who looked at the chosen target, by name."""
        return sorted({trial.annotator for trial in self._trials if trial.target == self.target.name})

    def reads(self, image_id: str, target: str = "", annotator: str = "") -> list[TrialRecord]:
        """The newest finished read of each annotator on an image."""
        wanted = target or self.target.name
        return [
            trial
            for trial in self._reads_by_image.get(image_id, [])
            if trial.target == wanted and (not annotator or trial.annotator == annotator)
        ]

    @property
    def all_reads(self) -> list[TrialRecord]:
        """All reads that count, of all targets."""
        return list(self._trials)

    @cached_property
    def _reads_by_image(self) -> dict[str, list[TrialRecord]]:
        found: dict[str, list[TrialRecord]] = {}
        for trial in sorted(self._trials, key=lambda trial: trial.annotator):
            found.setdefault(trial.image_id, []).append(trial)
        return found

    def pixels(self, image: StudyImage) -> ImagePixels:
        """The pixels of an image."""
        return self.study.pixels(image.image_id)

    def maps(self, trial: TrialRecord) -> LabelMaps:
        """The maps of a read: those that were stored, or else made now from its fixations."""
        stored = self.study.maps(trial.trial_id)
        if stored is not None and stored.parameters == self.labels:
            return stored
        image = self.study.image(trial.image_id)
        if trial.outcome is Outcome.NO_TARGET:
            return no_target_maps(image.size, self.labels)
        shown = self.pixels(image).display_u8()
        return make_label_maps(shown, trial.fixations, self.labels, cancel=self.cancel)

    def merged_maps(self, image_id: str, target: str = "") -> LabelMaps | None:
        """One pair of maps for an image, from all reads together; None without reads."""
        reads = self.reads(image_id, target)
        if not reads:
            return None
        maps = [self.maps(trial) for trial in reads]
        return maps[0] if len(maps) == 1 else merge_label_maps(maps)

    def mask(self, image: StudyImage, target: str = "") -> tuple[Mask | None, str]:
        """The mask of an image and where it comes from; (None, "") where there is none."""
        name = target or self.target.name
        ways = ("accepted", "reference", "newest") if self.options.masks == "auto" else (self.options.masks,)
        for way in ways:
            found = self._mask_of(image, name, way)
            if found is not None:
                return found, way
        return None, ""

    def mask_without_reference(self, image: StudyImage, target: str) -> Mask | None:
        """The mask of a target that the image's reference mask does not show."""
        ways = ("accepted", "newest") if self.options.masks == "auto" else (self.options.masks,)
        found = (self._mask_of(image, target, way) for way in ways if way != "reference")
        return next((mask for mask in found if mask is not None), None)

    def has_mask(self, image: StudyImage, target: str = "") -> bool:
        """Whether `mask` would find one, without reading pixels."""
        name = target or self.target.name
        if self.options.masks == "gaze":
            return bool(self.reads(image.image_id, name))
        if self.options.masks in ("auto", "reference") and image.mask_path:
            return True
        if self.options.masks == "reference":
            return False
        keys = self._accepted_keys if self.options.masks == "accepted" else self._version_keys
        return (image.image_id, name) in keys

    @cached_property
    def _version_keys(self) -> set[tuple[str, str]]:
        return {(version.image_id, version.target) for version in self.study.standing_versions()}

    @cached_property
    def _accepted_keys(self) -> set[tuple[str, str]]:
        return {key for key in self._version_keys if self.study.accepted_version(*key) is not None}

    def _mask_of(self, image: StudyImage, target: str, way: str) -> Mask | None:
        if way == "reference":
            return self.study.ground_truth(image.image_id)
        if way == "gaze":
            maps = self.merged_maps(image.image_id, target)
            return None if maps is None else maps.levels[0]
        if (image.image_id, target) not in self._version_keys:
            return None
        if way == "accepted":
            return self.study.accepted_mask(image.image_id, target)
        versions = [
            version
            for version in self.study.standing_versions(image.image_id, target=target)
            if not self.options.annotators or version.annotator in self.options.annotators
        ]
        return self.study.read_version(max(versions, key=lambda v: v.saved_at)) if versions else None


def with_splits(images: list[StudyImage], *, test_share: float, seed: int) -> list[StudyImage]:
    """The images, each with a split: those without one follow their case, or are divided by cases.

    A case that has a decided image anywhere takes that split as a whole. Where all images were decided nothing changes.
    """
    decided = {image.case: image.split for image in images if image.case and image.split}
    open_cases = sorted({_case(image) for image in images if not image.split and image.case not in decided})

    def place(case: str) -> bytes:
        return hashlib.sha256(f"{seed}|{case}".encode()).digest()

    shuffled = sorted(open_cases, key=place)
    has_test = any(image.split == "test" for image in images)
    n_test = 0 if has_test or not shuffled else max(1, round(test_share * len(shuffled)))
    test_cases = set(shuffled[:n_test]) if n_test < len(shuffled) else set()
    result = []
    for image in images:
        split = image.split or decided.get(image.case, "") or ("test" if _case(image) in test_cases else "train")
        result.append(image if split == image.split else replace(image, split=split))
    return result


def _case(image: StudyImage) -> str:
    return image.case or image.image_id
