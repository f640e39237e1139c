"""One trial seen again: its fixations, raw samples and maps, and what other label settings would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.events import CancelToken, OnProgress, Progress, no_progress
from domain.labels import LabelMaps, LabelParameters
from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack
from domain.study import Outcome
from domain.trial import TrialRecord
from processing.labels import make_label_maps, no_target_maps
from processing.overlap import dice
from processing.refiner import Refiner, refiners
from storage.session_file import read_session
from storage.study import Study


@dataclass
class TrialView:
    """A trial with its image. `reference` is the reviewed mask, else the one that came with the image.

    pixels: all slices of the stack where the image is one of its slices, `home_slice`; that is None elsewhere.
    """

    record: TrialRecord
    pixels: ImagePixels | SliceStack
    home_slice: int | None
    image_u8: NDArray[np.uint8]
    reference: NDArray[np.bool_] | None
    reference_name: str
    _refiner: tuple[str, Refiner] | None = None

    def labelled(
        self,
        parameters: LabelParameters,
        *,
        on_progress: OnProgress = no_progress,
        cancel: CancelToken | None = None,
    ) -> LabelMaps:
        """The maps under these parameters; the refiner keeps what it learnt of the image."""
        if self.record.outcome is Outcome.NO_TARGET:
            return no_target_maps(self.pixels.size, parameters)
        if self._refiner is None or self._refiner[0] != parameters.source:
            self._refiner = (parameters.source, refiners.get(parameters.source)())
        return make_label_maps(
            self.image_u8,
            self.record.fixations,
            parameters,
            refiner=self._refiner[1],
            on_progress=on_progress,
            cancel=cancel,
        )

    def level_dice(self, maps: LabelMaps) -> list[float]:
        """Dice of each level against the reference; empty where there is none."""
        if self.reference is None:
            return []
        return [dice(level, self.reference) for level in maps.levels]


def open_trial(study: Study, record: TrialRecord) -> TrialView:
    """A trial ready to be looked at."""
    pixels, home_slice = study.stack(record.image_id)
    reviewed = study.accepted_mask(record.image_id, record.target)
    reference = reviewed if reviewed is not None else study.ground_truth(record.image_id)
    name = "reviewed mask" if reviewed is not None else "reference mask" if reference is not None else ""
    return TrialView(record, pixels, home_slice, pixels.one_slice(home_slice or 0).display_u8(), reference, name)


@dataclass(frozen=True)
class RawGaze:
    """Raw gaze of a trial. xy: (n, 2) image pixels. slice_index: (n,) which slice of the stack was shown then."""

    xy: NDArray[np.float64]
    slice_index: NDArray[np.int64]

    @classmethod
    def none(cls) -> RawGaze:
        """No sample."""
        return cls(np.zeros((0, 2)), np.zeros(0, np.int64))

    def on_slice(self, slice_index: int) -> NDArray[np.float64]:
        """The samples (m, 2) that fell on this slice."""
        return np.asarray(self.xy[self.slice_index == slice_index])


def raw_samples_on_image(study: Study, record: TrialRecord) -> RawGaze:
    """Raw gaze of a trial, the mean of the valid eyes; empty where no session file is left."""
    path = study.folder / record.session_file
    if not record.session_file or not path.is_file():
        return RawGaze.none()
    session = read_session(path)
    for trial in session.trials():
        if trial.trial_id == record.trial_id:
            inside = (session.samples.time_ns >= trial.onset_ns) & (session.samples.time_ns <= trial.offset_ns)
            samples = session.samples[inside]
            seen = samples.gaze_valid.any(axis=1)
            valid = np.where(samples.gaze_valid[..., None], samples.gaze_norm, np.nan)[seen]
            time_ns = samples.time_ns[seen]
            xy = trial.views.image_xy(time_ns, np.nanmean(valid, axis=1), session.header.display)
            return RawGaze(xy, trial.views.slice_at(time_ns))
    return RawGaze.none()


def trials_with_gaze(study: Study) -> list[TrialRecord]:
    """The newest trial of each image, annotator and target that has fixations."""
    return [trial for trial in study.trials(newest_only=True) if len(trial.fixations)]


def mean_dice(
    study: Study,
    trials: Sequence[TrialRecord],
    parameters: LabelParameters,
    *,
    on_progress: OnProgress = no_progress,
    cancel: CancelToken | None = None,
) -> tuple[list[float], int]:
    """Mean Dice of each level over all trials that have a reference mask, and how many those are."""
    rows = []
    for number, record in enumerate(trials):
        if cancel is not None:
            cancel.raise_if_cancelled()
        try:
            view = open_trial(study, record)
        except UserFacingError:
            continue
        if view.reference is not None and view.reference.any():
            rows.append(view.level_dice(view.labelled(parameters, cancel=cancel)))
        on_progress(Progress(number + 1, len(trials), "comparing with reviewed masks"))
    return ([float(value) for value in np.mean(rows, axis=0)] if rows else []), len(rows)
