"""How far annotators agree, how long they took, how good their gaze was, and what they agree on."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.study import TrialStatus
from processing.agreement import PairAgreement, majority, pairs, staple
from processing.overlap import dice
from storage.atomic_write import write_atomically
from storage.mask_table import CONSENSUS, NOT_PEOPLE, MaskVersion
from storage.study import Study
from workflows.active_time import ACTIVE_TIME_RULE

Method = Literal["majority", "staple"]
OUTLIER_DICE = 0.5


@dataclass(frozen=True)
class AnnotatorFigures:
    """What one annotator did: medians over images; None where nothing was measured."""

    annotator: str
    n_images: int
    n_skipped: int
    median_active_s: float | None
    total_active_s: float
    mean_loss: float | None
    longest_gap_s: float | None
    median_drift_deg: float | None
    is_simulated: bool


@dataclass(frozen=True)
class ReadFigures:
    """One annotator on one image: active time, share of samples without gaze, last drift check; None = not measured."""

    annotator: str
    image_id: str
    active_s: float | None
    loss: float | None
    drift_deg: float | None


READ_METRICS = ("active_s", "loss", "drift_deg")


@dataclass(frozen=True)
class OddRead:
    """One annotator on one image whose time, loss or drift lies apart from the others'."""

    read: ReadFigures
    metric: str
    value: float


@dataclass(frozen=True)
class AgreementReport:
    """All pairs on all images, and figures per annotator and per read."""

    target: str
    pairs: tuple[PairAgreement, ...]
    annotators: tuple[AnnotatorFigures, ...]
    n_images_with_two: int
    reads: tuple[ReadFigures, ...] = ()
    rule: str = ACTIVE_TIME_RULE

    def mean_of_pairs(self) -> dict[tuple[str, str], dict[str, float]]:
        """Means per pair over images; infinite distances (one mask empty) are counted apart under `n_one_empty`."""
        grouped: dict[tuple[str, str], list[PairAgreement]] = defaultdict(list)
        for pair in self.pairs:
            grouped[pair.first, pair.second].append(pair)
        result = {}
        for names, found in grouped.items():
            distances = [pair.hausdorff95_px for pair in found if np.isfinite(pair.hausdorff95_px)]
            result[names] = {
                "n": float(len(found)),
                "dice": float(np.mean([pair.dice for pair in found])),
                "iou": float(np.mean([pair.iou for pair in found])),
                "hausdorff95_px": float(np.mean(distances)) if distances else float("nan"),
                "kappa": float(np.mean([pair.kappa for pair in found])),
                "n_one_empty": float(len(found) - len(distances)),
            }
        return result

    def outliers(self) -> list[PairAgreement]:
        """Pairs that hardly agree, worst first: the cases to open."""
        return sorted((pair for pair in self.pairs if pair.dice < OUTLIER_DICE), key=lambda pair: pair.dice)

    def odd_reads(self) -> list[OddRead]:
        """Reads that lie apart in time, in loss or in drift, by measure, the farthest first."""
        found: list[OddRead] = []
        for metric in READ_METRICS:
            known = [
                OddRead(one, metric, getattr(one, metric)) for one in self.reads if getattr(one, metric) is not None
            ]
            far = apart([one.value for one in known], metric)
            found += sorted((one for one, is_far in zip(known, far, strict=True) if is_far), key=lambda one: -one.value)
        return found


def examine(
    study: Study, *, target: str = "", on_progress: OnProgress = no_progress, cancel: CancelToken | None = None
) -> AgreementReport:
    """Compare the newest masks of all annotators on each image."""
    study.require("see others")
    name = target or study.settings.targets[0].name
    if name not in {one.name for one in study.settings.targets}:
        raise UserFacingError(f"The study has no target {name!r}.", "See `sightline study show`.")
    by_image = {
        image_id: {person: version for person, version in people.items() if person != CONSENSUS}
        for image_id, people in newest_masks(study, name).items()
    }
    found: list[PairAgreement] = []
    shared = {image_id: people for image_id, people in by_image.items() if len(people) > 1}
    for number, (image_id, people) in enumerate(shared.items()):
        if cancel is not None:
            cancel.raise_if_cancelled()
        on_progress(Progress(number, len(shared), image_id))
        masks = {person: study.read_version(version) for person, version in people.items()}
        found += pairs(image_id, name, masks)
    on_progress(Progress(len(shared), len(shared)))
    return AgreementReport(name, tuple(found), tuple(figures(study, name)), len(shared), tuple(reads(study, name)))


def apart(values: Sequence[float], metric: str) -> list[bool]:
    """Which values are worth a look: Dice below `OUTLIER_DICE`; others beyond 1.5 quartile ranges (Tukey's fences).

    Of agreement only the low side counts, of distance, time, loss and drift only the high side.
    """
    if metric == "dice":
        return [value < OUTLIER_DICE for value in values]
    finite = [value for value in values if np.isfinite(value)]
    if len(finite) < 4:
        return [False] * len(values)
    low, high = np.percentile(finite, [25, 75])
    reach = 1.5 * (high - low)
    if metric in ("iou", "kappa"):
        return [bool(value < low - reach) for value in values]
    return [bool(value > high + reach) for value in values]


def newest_masks(study: Study, target: str) -> dict[str, dict[str, MaskVersion]]:
    """The newest mask version of each annotator for each image."""
    newest: dict[str, dict[str, MaskVersion]] = {}
    for version in study.standing_versions(target=target):
        newest.setdefault(version.image_id, {})[version.annotator] = version
    return newest


def reads(study: Study, target: str) -> list[ReadFigures]:
    """Time, loss and drift of each newest trial that was not skipped."""
    found = []
    for trial in study.trials(target=target, newest_only=True):
        if trial.status is TrialStatus.SKIPPED:
            continue
        quality = trial.quality
        found.append(
            ReadFigures(
                trial.annotator,
                trial.image_id,
                active_s=(quality.active_s or trial.duration_s) or None,
                loss=quality.loss if quality.n_samples else None,
                drift_deg=quality.drift_deg,
            )
        )
    return found


def figures(study: Study, target: str) -> list[AnnotatorFigures]:
    """Time, loss and drift per annotator, from their newest trials."""
    grouped = defaultdict(list)
    for trial in study.trials(target=target, newest_only=True):
        grouped[trial.annotator].append(trial)
    result = []
    for annotator, trials in sorted(grouped.items()):
        done = [trial for trial in trials if trial.status is not TrialStatus.SKIPPED]
        active = [trial.quality.active_s or trial.duration_s for trial in done]
        measured = [trial.quality for trial in done if trial.quality.n_samples]
        drifts = [quality.drift_deg for quality in measured if quality.drift_deg is not None]
        result.append(
            AnnotatorFigures(
                annotator=annotator,
                n_images=len(done),
                n_skipped=len(trials) - len(done),
                median_active_s=float(np.median(active)) if active else None,
                total_active_s=float(np.sum(active)),
                mean_loss=float(np.mean([quality.loss for quality in measured])) if measured else None,
                longest_gap_s=max((quality.longest_gap_s for quality in measured), default=None),
                median_drift_deg=float(np.median(drifts)) if drifts else None,
                is_simulated=any(trial.is_simulated for trial in trials),
            )
        )
    return result


@dataclass(frozen=True)
class Consensus:
    """One mask from several: how it was made, from which versions, and the Dice of each with it. Not stored yet."""

    image_id: str
    target: str
    method: Method
    mask: NDArray[np.bool_]
    versions: dict[str, int]
    dice: dict[str, float]

    def store(self, study: Study) -> int:
        """Keep it as the next version of `consensus`; the masks it is from stay as they are."""
        facts = {"method": self.method, "from": self.versions}
        return study.save_mask(self.image_id, CONSENSUS, self.target, self.mask, origin="consensus", facts=facts)


def find_consensus(study: Study, image_id: str, *, target: str, method: Method = "staple") -> Consensus:
    """One mask from all annotators of an image.

    Raises:
        UserFacingError: fewer than two annotators have a mask.
    """
    study.require("see others")
    newest = {version.annotator: version for version in study.standing_versions(image_id, target=target)}
    people = {name: newest[name] for name in sorted(newest) if name not in NOT_PEOPLE}
    if len(people) < 2:
        raise UserFacingError(f"{image_id} has masks of {len(people)} annotators.", "A consensus needs two or more.")
    masks = {name: study.read_version(version) for name, version in people.items()}
    mask = majority(list(masks.values())) if method == "majority" else staple(list(masks.values())).mask
    return Consensus(
        image_id,
        target,
        method,
        mask,
        {name: version.version for name, version in people.items()},
        {name: dice(one, mask) for name, one in masks.items()},
    )


def make_consensus(study: Study, image_id: str, *, target: str, method: Method = "staple") -> NDArray[np.bool_]:
    """One mask from all annotators of an image; stored as a mask of the annotator `consensus`.

    Raises:
        UserFacingError: fewer than two annotators have a mask.
    """
    found = find_consensus(study, image_id, target=target, method=method)
    found.store(study)
    return found.mask


def write_csv(report: AgreementReport, path: Path) -> None:
    """All pairs as a table."""
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        names = [field.name for field in fields(PairAgreement)]
        writer.writerow(names)
        for pair in report.pairs:
            writer.writerow([getattr(pair, name) for name in names])
