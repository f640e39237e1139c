"""The nouns of a study: images, targets, people, trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from domain.labels import LabelParameters


class Role(str, Enum):
    """What a person may do."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class TrialStatus(str, Enum):
    """Where one image stands for one annotator and target."""

    NEW = "new"
    IN_PROGRESS = "in progress"
    DONE = "done"
    FLAGGED = "flagged"
    SKIPPED = "skipped"
    ACCEPTED = "accepted"
    RETURNED = "returned"


class Outcome(str, Enum):
    """What the annotator said about the target in an image."""

    TARGET = "target"
    NO_TARGET = "no target"


@dataclass(frozen=True)
class Target:
    """What is annotated: polyp, prostate. `number` is its value in index masks, from 1."""

    name: str
    number: int = 1
    colour: str = "#E69F00"
    description: str = ""


@dataclass(frozen=True)
class Protocol:
    """How images are shown: order, timing, instruction, and when quality stops a trial (REFLACX limits)."""

    instruction: str = "Find the target. Then look over all of it, from its centre to its border."
    instruction_version: int = 1
    order_seed: int = 1
    reads_per_image: int = 1
    ignore_first_ms: int = 300
    warn_loss: float = 0.10
    stop_loss: float = 0.15
    warn_gap_s: float = 1.5
    stop_gap_s: float = 3.0
    rest_after_images: int = 30
    rest_after_min: int = 20
    drift_check_every: int = 10


@dataclass(frozen=True)
class StudyImage:
    """One image of a study. `path` is relative to the study folder where the image was copied into it.

    size: (width, height) in pixels after EXIF orientation. case: patient or volume, for splits.
    split: "train", "val", "test" or "" where not decided. slice_index: which slice of a stack this image is, where
    each slice of a volume is an image of its own; -1 = the whole file. stack: the series that an image is a slice of,
    where each slice is a file of its own, "" = none; stack_position: where on the stack's axis it lies, in mm where the
    files say it. sha256: of the file that was imported; file_sha256: of the file in the study, where it is another.
    """

    image_id: str
    path: str
    size: tuple[int, int]
    sha256: str = ""
    case: str = ""
    split: str = ""
    n_slices: int = 1
    mask_path: str = ""
    origin: str = ""
    slice_index: int = -1
    stack: str = ""
    stack_position: float = 0.0
    file_sha256: str = ""


@dataclass(frozen=True)
class StudySettings:
    """What an admin decides once for a study."""

    name: str
    targets: tuple[Target, ...] = (Target("target"),)
    labels: LabelParameters = field(default_factory=LabelParameters)
    protocol: Protocol = field(default_factory=Protocol)
    is_simulated: bool = False
