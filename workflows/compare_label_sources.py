"""Which label source, sigma and thresholds suit a study: measured by Dice on its own masks.

CRF helps on polyps and hurts on prostate (Dice 0.79 to 0.67 in the published notebooks): measured, not assumed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.labels import LabelParameters
from domain.study import Outcome
from domain.trial import TrialRecord
from processing.heatmap import fixation_heatmap
from processing.overlap import dice_at_thresholds
from processing.refiner import refiners
from storage.study import Study
from workflows.make_labels import WITHOUT_LABEL, image_px_per_deg
from workflows.worker_pool import worker_pool

THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.05, 0.96, 0.05), 2))
SIGMAS = {"published": (30.0, 50.0, 70.0, 90.0), "degrees": (0.5, 0.75, 1.0, 1.5, 2.0)}
FEWEST_IMAGES = 5
MOST_IMAGES = 60
N_FOLDS = 5
LEVEL_SPREAD = 0.1
"""The published pairs of thresholds lie 0.1 to either side of their middle (polyp 0.5, 0.3; prostate 0.2, 0.4)."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class SourceScore:
    """One source with one sigma: mean Dice at each of `THRESHOLDS`."""

    source: str
    sigma: float
    dice: tuple[float, ...]

    @property
    def best(self) -> tuple[float, float]:
        """(threshold, mean Dice) where the mean Dice is highest."""
        k = int(np.argmax(self.dice))
        return THRESHOLDS[k], self.dice[k]


@dataclass(frozen=True)
class SourceComparison:
    """What was measured, best first, and what is recommended.

    expected_dice: of the recommended way of choosing, on images it was not chosen on (cross-validation), with the 95 %
    interval of that mean. current_dice: of the study's present settings, at each of its levels. is_simulated: some of
    the gaze is. n_reviewed: images whose mask a reviewer accepted; the other masks came with the images.
    """

    scores: tuple[SourceScore, ...]
    recommended: LabelParameters
    best_threshold: float
    expected_dice: float
    interval: tuple[float, float]
    current_dice: tuple[float, ...]
    n_images: int
    n_reviewed: int
    is_simulated: bool


def compare_label_sources(
    study: Study,
    *,
    target: str = "",
    sources: Sequence[str] = (),
    sigmas: Sequence[float] = (),
    n_images: int = MOST_IMAGES,
    among: Collection[str] | None = None,
    seed: int = 1,
    workers: int | None = None,
    scheduler: str = "",
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> SourceComparison:
    """Make labels in every way for images that have a mask, and compare.

    Args:
        study: open.
        target: the study's first where it is not given.
        sources: refiners to compare; all by default.
        sigmas: in the unit of the study's heatmap mode; the study's own is always among them.
        n_images: a random choice of so many is enough; all where there are fewer.
        among: ids of the images to choose from; None means all.
        seed: of that choice, and of the folds.
        workers: processes; None takes one per core, with 1 the work stays in this process.
        scheduler: address of a Dask scheduler instead.
        on_progress: hears of each image.
        cancel: stops.

    Raises:
        UserFacingError: too few images with gaze and mask.
        Cancelled: stopped.
    """
    own = study.settings.labels
    name = target or study.settings.targets[0].name
    tried = list(sources) or refiners.names()
    for source in tried:
        refiners.get(source)
    tried_sigmas = sorted({*(sigmas or SIGMAS[own.heatmap_mode]), own.sigma})
    if own.source not in tried:
        tried.append(own.source)
    trials, n_reviewed = _chosen_trials(study, name, n_images, among=among, seed=seed)
    tables: dict[str, Scores] = {}
    failures: list[str] = []

    def took(result: tuple[str, Scores | None, str]) -> None:
        trial_id, table, problem = result
        if table is None:
            failures.append(problem)
        else:
            tables[trial_id] = table
        on_progress(Progress(len(tables) + len(failures), len(trials), "comparing label sources"))

    ways = tuple(tried), tuple(tried_sigmas)
    if workers == 1 and not scheduler:
        for trial in trials:
            if cancel is not None:
                cancel.raise_if_cancelled()
            took(_scores(study, trial.trial_id, own, *ways))
    else:
        arguments = [(str(study.folder), trial.trial_id, own.as_json(), *ways) for trial in trials]
        with worker_pool(workers or os.cpu_count() or 1, scheduler) as pool:
            pool.run(score_in_worker, arguments, took, cancel=cancel)
    if len(tables) < FEWEST_IMAGES:
        raise UserFacingError("Too few images could be compared.", failures[0] if failures else "")
    kept = [trial for trial in trials if trial.trial_id in tables]
    scores = np.stack([tables[trial.trial_id] for trial in kept])
    return _comparison(scores, kept, own, tried, tried_sigmas, seed=seed, n_reviewed=n_reviewed)


def score_in_worker(
    folder: str, trial_id: str, plain: dict[str, object], sources: tuple[str, ...], sigmas: tuple[float, ...]
) -> tuple[str, Scores | None, str]:
    """Dice (sources, sigmas, thresholds) of one trial, or why there is none; in a process that keeps the study open."""
    return _scores(_opened(folder), trial_id, LabelParameters.from_json(plain), sources, sigmas)


def _scores(
    study: Study, trial_id: str, own: LabelParameters, sources: tuple[str, ...], sigmas: tuple[float, ...]
) -> tuple[str, Scores | None, str]:
    try:
        trial = study.trials(trial_id=trial_id)[0]
        mask, _ = _mask(study, trial)
        if mask is None:
            return trial_id, None, f"{trial.image_id} has lost its mask."
        image = study.pixels(trial.image_id).display_u8()
        per_deg = image_px_per_deg(study, trial) if own.heatmap_mode == "degrees" else None
        table = np.empty((len(sources), len(sigmas), len(THRESHOLDS)))
        for i, source in enumerate(sources):
            refiner = refiners.get(source)()
            for j, sigma in enumerate(sigmas):
                parameters = replace(own, source=source, sigma=sigma)
                size = (mask.shape[1], mask.shape[0])
                heatmap = fixation_heatmap(trial.fixations, size, parameters, image_px_per_deg=per_deg)
                refined = refiner.refine(image, heatmap, trial.fixations, parameters)
                table[i, j] = dice_at_thresholds(refined, mask, np.array(THRESHOLDS))
    except UserFacingError as error:
        return trial_id, None, str(error)
    return trial_id, table, ""


def _chosen_trials(
    study: Study, target: str, n_images: int, *, among: Collection[str] | None, seed: int
) -> tuple[list[TrialRecord], int]:
    """One trial per image that has gaze and a mask, a random choice of images; how many masks are reviewed."""
    found: dict[str, TrialRecord] = {}
    for trial in study.trials(target=target, newest_only=True):
        if trial.outcome is Outcome.TARGET and trial.status not in WITHOUT_LABEL and len(trial.fixations):
            found[trial.image_id] = trial
    with_mask = {image.image_id for image in study.images() if image.mask_path}
    with_mask |= {version.image_id for version in study.mask_versions(target=target)}
    allowed = with_mask if among is None else with_mask.intersection(among)
    candidates = [found[image_id] for image_id in sorted(found) if image_id in allowed]
    order = np.random.default_rng(seed).permutation(len(candidates))
    trials: list[TrialRecord] = []
    n_reviewed = 0
    for k in order:
        if len(trials) == n_images:
            break
        mask, is_reviewed = _mask(study, candidates[k])
        if mask is not None and mask.any():
            trials.append(candidates[k])
            n_reviewed += is_reviewed
    if len(trials) < FEWEST_IMAGES:
        raise UserFacingError(
            f"{len(trials)} images have both gaze for {target!r} and a mask; at least {FEWEST_IMAGES} are needed.",
            "Correct and accept a few masks on the review page first.",
        )
    return trials, n_reviewed


def _mask(study: Study, trial: TrialRecord) -> tuple[NDArray[np.bool_] | None, bool]:
    """The mask to compare with, and whether a reviewer accepted it."""
    accepted = study.accepted_mask(trial.image_id, trial.target)
    return (accepted, True) if accepted is not None else (study.ground_truth(trial.image_id), False)


def _comparison(
    scores: Scores,
    trials: list[TrialRecord],
    own: LabelParameters,
    sources: list[str],
    sigmas: list[float],
    *,
    seed: int,
    n_reviewed: int,
) -> SourceComparison:
    means = scores.mean(axis=0)
    best = np.unravel_index(int(np.argmax(means)), means.shape)
    threshold = THRESHOLDS[int(best[2])]
    unseen = _dice_on_unseen(scores, seed)
    half_width = 1.96 * float(unseen.std(ddof=1)) / np.sqrt(len(unseen))
    at_own = means[sources.index(own.source), sigmas.index(own.sigma)]
    listed = [
        SourceScore(source, sigma, tuple(float(d) for d in means[i, j]))
        for i, source in enumerate(sources)
        for j, sigma in enumerate(sigmas)
    ]
    return SourceComparison(
        scores=tuple(sorted(listed, key=lambda score: -score.best[1])),
        recommended=replace(
            own,
            source=sources[int(best[0])],
            sigma=sigmas[int(best[1])],
            thresholds=levels_around(threshold, len(own.thresholds)),
        ),
        best_threshold=threshold,
        expected_dice=float(unseen.mean()),
        interval=(float(unseen.mean() - half_width), float(unseen.mean() + half_width)),
        current_dice=tuple(float(np.interp(t, THRESHOLDS, at_own)) for t in own.thresholds),
        n_images=len(trials),
        n_reviewed=n_reviewed,
        is_simulated=any(trial.is_simulated for trial in trials),
    )


def levels_around(threshold: float, n_levels: int) -> tuple[float, ...]:
    """Thresholds for so many levels, tight first, 0.1 to either side of the best single one."""
    if n_levels == 1:
        return (threshold,)
    spread = np.linspace(LEVEL_SPREAD, -LEVEL_SPREAD, n_levels)
    return tuple(float(t) for t in np.round(np.clip(threshold + spread, 0.02, 0.98), 3))


def _dice_on_unseen(scores: Scores, seed: int) -> Scores:
    """Dice (n,) of each image with what was best on the images of the other folds."""
    n = len(scores)
    fold_of = np.random.default_rng(seed).permutation(n) % min(N_FOLDS, n)
    flat = scores.reshape(n, -1)
    out = np.empty(n)
    for fold in range(int(fold_of.max()) + 1):
        is_held = fold_of == fold
        out[is_held] = flat[is_held, int(np.argmax(flat[~is_held].mean(axis=0)))]
    return out


@lru_cache(maxsize=1)
def _opened(folder: str) -> Study:
    return Study.open(Path(folder))
