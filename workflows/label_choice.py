"""Which labels a training learns from: the study's own, or, for one click, the source that its masks show to be better.

Only masks of training images are looked at, so that the validation part stays unseen; and another source is taken only
where it is clearly better, since the study's own was somebody's choice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, no_progress
from domain.labels import LabelParameters
from storage.study import Study
from training.run_folder import write_json
from workflows.compare_label_sources import compare_label_sources
from workflows.freeze_study import parts_of

# So many show a difference of a few points of Dice, and take half a minute.
N_IMAGES = 24
FILE = "label-choice.json"


@dataclass(frozen=True)
class LabelChoice:
    """The labels of one training. own_dice, chosen_dice: on n_images training images with masks, the second one
    cross-validated; None where nothing was compared, and `why_not` says why.
    """

    labels: LabelParameters
    is_other: bool = False
    own_dice: float | None = None
    chosen_dice: float | None = None
    n_images: int = 0
    why_not: str = ""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> LabelChoice:
        """The choice from what `as_json` gave."""
        return cls(**{**values, "labels": LabelParameters.from_json(values["labels"])})

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "labels": self.labels.as_json()}


def chosen_labels(
    study: Study,
    *,
    target: str = "",
    sources: Sequence[str] = (),
    seed: int = 1,
    workers: int | None = None,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> LabelChoice:
    """Compare label sources (all by default) at the study's own sigma, and take the best where it is clearly better.

    Clearly: the lower end of the 95 % interval of its cross-validated Dice lies above the Dice of the study's own
    labels at their best level.

    Raises:
        Cancelled: stopped by the user.
    """
    own = study.settings.labels
    name = target or study.settings.targets[0].name
    train = [image_id for image_id, part in parts_of(study, name).items() if part == "train"]
    try:
        found = compare_label_sources(
            study,
            target=name,
            sources=sources,
            sigmas=[own.sigma],
            n_images=N_IMAGES,
            among=train,
            seed=seed,
            workers=workers,
            on_progress=on_progress,
            cancel=cancel,
        )
    except UserFacingError as error:
        return LabelChoice(own, why_not=error.message)
    own_dice = max(found.current_dice)
    if found.recommended.source == own.source or found.interval[0] <= own_dice:
        return LabelChoice(own, own_dice=own_dice, n_images=found.n_images)
    return LabelChoice(found.recommended, True, own_dice, found.expected_dice, found.n_images)


def keep_choice(run_folder: Path, choice: LabelChoice) -> None:
    """Write it beside the run that learns from it."""
    write_json(run_folder / FILE, choice.as_json())


def label_choice_of(run_folder: Path) -> LabelChoice | None:
    """How a run's labels were chosen, None where they are the study's own unasked."""
    try:
        return LabelChoice.from_json(json.loads((run_folder / FILE).read_text("utf-8")))
    except (OSError, ValueError, OverflowError, KeyError, TypeError):
        return None
