"""What a study looks for: add, rename, recolour and describe targets, without hurting what was recorded for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.counted import counted
from domain.errors import UserFacingError
from domain.study import Target
from storage.study import Study

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")  # Wong 2011, colour-blind safe
MOST = 255
"""An index mask holds one byte for each pixel, and 0 is the background."""


@dataclass(frozen=True)
class WantedTarget:
    """One line of the list that an admin wants; `before` is its present name, "" for a new one."""

    before: str
    name: str
    colour: str = ""
    description: str = ""


def used(study: Study) -> dict[str, tuple[int, int]]:
    """For each target that something was recorded for: how many trials and masks."""
    counts: dict[str, tuple[int, int]] = {}
    for trial in study.trials():
        n_trials, n_masks = counts.get(trial.target, (0, 0))
        counts[trial.target] = (n_trials + 1, n_masks)
    for version in study.mask_versions():
        n_trials, n_masks = counts.get(version.target, (0, 0))
        counts[version.target] = (n_trials, n_masks + 1)
    return counts


def change_targets(study: Study, wanted: Sequence[WantedTarget]) -> None:
    """Make this the list of targets. Numbers stay as they are, so that index masks of before keep their meaning.

    Raises:
        NotAllowedError: only admins may.
        UserFacingError: no name, one twice, no colour, or a target with trials or masks would be renamed or removed.
    """
    study.require("settings")
    names = [one.name.strip() for one in wanted]
    if not names or not all(names) or len({name.lower() for name in names}) != len(names):
        raise UserFacingError("A study needs one or more targets of different names.", "Give each target its own name.")
    if len(names) > MOST:
        raise UserFacingError(f"{len(names)} targets do not fit into an index mask.", f"Use {MOST} or fewer.")
    wrong = next((one for one in wanted if one.colour and not re.fullmatch(r"#[0-9A-Fa-f]{6}", one.colour)), None)
    if wrong is not None:
        raise UserFacingError(f"{wrong.colour!r} is no colour.", "Write it as #RRGGBB, for example #E69F00.")
    present = {target.name: target for target in study.settings.targets}
    unknown = next((one.before for one in wanted if one.before and one.before not in present), None)
    if unknown is not None:
        raise UserFacingError(f"The study has no target {unknown!r}.", "See `sightline study show`.")
    kept = {one.before for one in wanted if one.before == one.name.strip()}
    for name, (n_trials, n_masks) in used(study).items():
        if name in present and name not in kept:
            made = f"{counted(n_trials, 'trial', 'trials')} and {counted(n_masks, 'mask', 'masks')}"
            raise UserFacingError(
                f"{name} has {made}; it can be neither renamed nor removed.",
                "Change its colour or description, or add a target of another name.",
            )
    number = max((target.number for target in present.values()), default=0)
    targets = []
    for one in wanted:
        if one.before:
            target = present[one.before]
        else:
            number += 1
            target = Target(one.name.strip(), number, COLOURS[(number - 1) % len(COLOURS)])
        targets.append(
            replace(
                target, name=one.name.strip(), colour=one.colour or target.colour, description=one.description.strip()
            )
        )
    study.update_settings(replace(study.settings, targets=tuple(targets)))
