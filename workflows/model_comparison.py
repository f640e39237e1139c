"""How a new model compares with the one in use, asked of a process of its own. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from domain.errors import UserFacingError
from domain.events import CancelToken
from training.own_process import answer_of
from training.run_folder import RunFolder


@dataclass(frozen=True)
class Comparison:
    """Two models on the same reviewed images: mean Dice, and the mean gain with its 95 % interval by case.

    before, gain, gain_low, gain_high: None where no model is in use.
    """

    n_images: int
    after: float
    before: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None

    @property
    def is_not_worse(self) -> bool:
        """Whether the interval allows that the new model is at least as good."""
        return self.gain_high is None or self.gain_high >= 0


def compared(
    run_folder: Path, *, before: Path | None, device: str = "auto", timeout_s: float = 900.0, cancel: CancelToken | None
) -> Comparison:
    """Before and after on the validation images of the new model's snapshot; takes seconds to minutes.

    Raises:
        UserFacingError: no validation image has a mask, or a model cannot be read.
        Cancelled: stopped by the user.
    """
    paths = RunFolder(run_folder)
    question = {
        "model": str(paths.model),
        "before": str(before) if before is not None else "",
        "snapshot": str(paths.read()["snapshot"]),
        "device": device,
    }
    refusal = "The models cannot be compared."
    answer = answer_of("workflows.compare_models", question, refusal=refusal, timeout_s=timeout_s, cancel=cancel)
    if "refused" in answer:
        raise UserFacingError(*answer["refused"])
    return Comparison(**answer)
