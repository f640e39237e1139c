"""What an importer is: it reads and checks a foreign source and says what there is; it never writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.events import CancelToken, OnProgress
from domain.fixations import Fixations, ImageFixations
from domain.registry import Registry
from domain.session import SessionRecord
from domain.study import Outcome, Target
from storage.dicom_geometry import SliceFacts


@dataclass(frozen=True)
class FoundImage:
    """One image of a source. Its reference mask is the file `mask_path`, or what `read_mask` gives, (H, W).

    `patient` is what the source calls the person or volume, for splits that keep people together; it is replaced by
    a pseudonym where it came from a DICOM header. `stack` is what a source calls the series that the slice belongs to,
    also replaced, and `stack_position` its place on the series' axis; `facts` is what a DICOM header says of the slice.
    """

    path: Path
    image_id: str
    size: tuple[int, int]
    sha256: str
    case: str = ""
    patient: str = ""
    split: str = ""
    mask_path: Path | None = None
    n_slices: int = 1
    slice_index: int = -1
    is_dicom: bool = False
    look_for_text: bool = False
    stack: str = ""
    stack_position: float = 0.0
    facts: SliceFacts | None = None
    read_mask: Callable[[], NDArray[np.bool_]] | None = None


@dataclass(frozen=True)
class FoundRead:
    """Fixations of one person on one image."""

    image_id: str
    annotator: str
    target: str
    fixations: ImageFixations
    is_simulated: bool = False
    outcome: Outcome = Outcome.TARGET


@dataclass(frozen=True)
class FoundSession:
    """A recording of another program as a session like our own.

    `image_names` names the pictures that were shown, by trial id, as the recording calls them. `fixations` are those
    that the other program found, on the display, where it says them; ours can be made from the samples.
    """

    name: str
    record: SessionRecord
    image_names: Mapping[str, str] = field(default_factory=dict)
    fixations: Fixations | None = None


@dataclass(frozen=True)
class FoundMask:
    """A mask of one target on one image; `read` gives it, (H, W)."""

    image_id: str
    target: str
    read: Callable[[], NDArray[np.bool_]]
    annotator: str = "imported"


@dataclass(frozen=True)
class ImportPlan:
    """What a source holds, all of it read and checked; nothing has been written yet.

    `targets` are what the source annotates, for a study that is made for it; `warnings` are sentences for the user.
    `series_sizes`: how many slices each DICOM series has.
    """

    images: tuple[FoundImage, ...] = ()
    reads: tuple[FoundRead, ...] = ()
    masks: tuple[FoundMask, ...] = ()
    sessions: tuple[FoundSession, ...] = ()
    targets: tuple[Target, ...] = ()
    warnings: tuple[str, ...] = ()
    series_sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImportOptions:
    """What a person may decide for an import. `annotator` and `target` name what the source does not say itself.

    `single_slices`: files of a DICOM series stay images of their own instead of slices of one stack.
    """

    annotator: str = ""
    target: str = ""
    skip_broken: bool = False
    single_slices: bool = False
    more: Mapping[str, str] = field(default_factory=dict)


class Importer(Protocol):
    """Reads one foreign format. `kind`: it brings images into a study, or gaze that becomes a session."""

    title: str
    kind: Literal["images", "gaze"]

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """Read and check everything.

        Raises:
            BadFileError: the source is missing or malformed; the text names the file and what is wrong with it.
        """
        ...


importers: Registry[Importer] = Registry("import format", "processing.importers")
