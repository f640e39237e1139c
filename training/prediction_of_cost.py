"""Device, time and memory of a run before it starts, asked of a process of its own. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from domain.errors import UserFacingError
from domain.events import CancelToken
from training.config import TrainConfig
from training.own_process import answer_of

FEWEST_FOR_BEST = 20
Reason = Literal["no_gpu", "few_images", "gpu"]


@dataclass(frozen=True)
class Estimate:
    """Predicted cost of one run. seconds: from click to model. memory_bytes: at the peak of a step, on the device."""

    device: str
    precision: str
    seconds: float
    step_seconds: float
    memory_bytes: int
    fits: bool

    @property
    def text(self) -> str:
        """One line for the screen."""
        minutes = self.seconds / 60
        took = f"about {self.seconds:.0f} s" if minutes < 2 else f"about {minutes:.0f} min"
        took = took if minutes < 180 else f"about {minutes / 60:.0f} h"
        is_large = self.memory_bytes >= 1e9
        memory = f"{self.memory_bytes / 1e9:.1f} GB" if is_large else f"{self.memory_bytes / 1e6:.0f} MB"
        short = "" if self.fits else "; more than is free: it will work in smaller pieces, slower"
        return f"{self.device}, {self.precision}: {took}, {memory}{short}"

    @property
    def has_gpu(self) -> bool:
        """Whether the run computes on a GPU."""
        return "CPU" not in self.device

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def predicted_cost(
    config: TrainConfig, n_images: int, *, timeout_s: float = 120.0, cancel: CancelToken | None = None
) -> Estimate:
    """What a run on n images takes; the question takes some seconds, so ask it off the GUI's thread.

    Raises:
        UserFacingError: it cannot be told; the hint says why.
        Cancelled: stopped by the user.
    """
    refusal = "The cost of the run cannot be predicted."
    question = {"config": config.as_json(), "n_images": n_images}
    answer = answer_of("training.estimate", question, refusal=refusal, timeout_s=timeout_s, cancel=cancel)
    try:
        return Estimate(**answer)
    except TypeError as error:
        raise UserFacingError(refusal, str(error)) from error


def suggested_preset(n_images: int, *, has_gpu: bool) -> tuple[str, Reason]:
    """The preset for one click, and why: `best` on a GPU with enough images to use it, else `tiny`.

    `best` needs a few thousand steps of a large network: hours to days on a processor, where it would be cut short.
    """
    if not has_gpu:
        return "tiny", "no_gpu"
    return ("best", "gpu") if n_images >= FEWEST_FOR_BEST else ("tiny", "few_images")


def has_gpu(*, timeout_s: float = 60.0, cancel: CancelToken | None = None) -> bool:
    """Whether torch finds a GPU here; asked of a process of its own, takes seconds.

    Raises:
        UserFacingError: it cannot be told.
        Cancelled: stopped by the user.
    """
    refusal = "It cannot be told whether there is a GPU."
    answer = answer_of("training.device_probe", {}, refusal=refusal, timeout_s=timeout_s, cancel=cancel)
    return bool(answer["gpu"])
