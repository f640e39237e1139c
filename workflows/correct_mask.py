"""Correcting masks by hand and deciding about images: the study, the history, and what follows from each step."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.labels import LabelMaps
from domain.study import Outcome, TrialStatus
from domain.trial import TrialRecord
from storage.study import Study
from workflows.edit_history import Decision, Edit, EditHistory, MaskEdit, Place, packed
from workflows.mask_editing import Mask, Patch
from workflows.review import all_reviews

_log = logging.getLogger(__name__)
HISTORY_FOLDER = "history"
LATEST = 50
"""Steps before a crash that may not have reached the study's files; far more than the writer ever has waiting."""


@dataclass(frozen=True)
class Stored:
    """What the study's files have of an image for this annotator: the newest mask, the maps, where it stands."""

    place: Place
    mask: Mask | None
    maps: LabelMaps | None
    status: TrialStatus

    @property
    def threshold(self) -> float:
        """The strongest level's."""
        return self.maps.parameters.thresholds[0] if self.maps is not None else 0.5


@dataclass
class Draft:
    """One image on the desk: the mask being worked on and, where gaze gave some, its maps."""

    place: Place
    mask: Mask
    maps: LabelMaps | None
    threshold: float


class CorrectionDesk:
    """Working masks and decisions of one annotator in one study; every step is in the journal when its call returns.

    Files and catalog of the study follow on a thread of their own, in order. What a crash kept from being written is
    written at the next opening, from the journal.
    """

    def __init__(self, study: Study, annotator: str, *, on_problem: Callable[[BaseException], None]) -> None:
        self.study = study
        self.annotator = annotator
        self._on_problem = on_problem
        name = hashlib.sha256(annotator.encode()).hexdigest()[:16]
        self.history = EditHistory(study.folder / HISTORY_FOLDER / name)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="study-writer")
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._bring_up_to_date()

    # masks

    def read(self, image_id: str, target: str) -> Stored:
        """Read what `open` needs, on any thread; waits until what was decided before is written."""
        place = (image_id, target)
        _trial, maps = self.newest_look(place)
        return Stored(place, self.study.mask(image_id, self.annotator, target), maps, self.status(place))

    def newest_look(self, place: Place) -> tuple[TrialRecord | None, LabelMaps | None]:
        """The last look of this annotator at an image and its maps; waits as `read` does, on any thread."""
        if not self.is_written:
            self._writer.submit(lambda: None).result()  # the look that was just shown is being written
        trial = self.study.trial(place[0], self.annotator, place[1])
        return trial, self.study.maps(trial.trial_id) if trial is not None else None

    def open(self, image_id: str, target: str, stored: Stored | None = None) -> Draft:
        """Take an image onto the desk: as it was left, else its newest mask, else its strongest level, else empty.

        stored: what `read` gave; read now where it is None.
        """
        stored = stored or self.read(image_id, target)
        if stored.place not in self.history.state.masks:
            self.history.begin(stored.place, self._first_mask(stored))
        return Draft(stored.place, self.history.state.masks[stored.place], stored.maps, stored.threshold)

    def start_over(self, image_id: str, target: str, mask: Mask, tool: str = "gaze") -> None:
        """A new look gave a new mask: it becomes the working mask, as one step that can be undone."""
        place = (image_id, target)
        if place not in self.history.state.masks:
            self.history.begin(place, np.zeros_like(mask))
        self.change(place, mask, tool)

    def change(self, place: Place, after: Mask, tool: str) -> MaskEdit | None:
        """Replace the working mask; None where nothing differs."""
        patch = Patch.between(self.history.state.masks[place], after)
        if patch.is_empty:
            return None
        edit = MaskEdit(place, tool, patch)
        self.history.do(edit)
        return edit

    def mask(self, place: Place) -> Mask:
        """The working mask."""
        return self.history.state.masks[place]

    # decisions

    def status(self, place: Place) -> TrialStatus:
        """Where the image stands: as decided here, else, or where a reviewer has decided since, as the study says."""
        decided = self.history.state.decisions.get(place)
        if decided is not None and not self._is_reviewed_since(place, decided):
            return TrialStatus(str(decided["status"]))
        return self.study.statuses(self.annotator, place[1]).get(place[0], TrialStatus.NEW)

    def accept(self, place: Place, *, outcome: Outcome = Outcome.TARGET, origin: str = "correction") -> None:
        """The mask as it is now is this annotator's answer."""
        mask = self.mask(place)
        self._decide(
            place,
            {
                "status": TrialStatus.DONE.value,
                "outcome": outcome.value,
                "sha256": digest(mask),
                "origin": origin,
            },
            mask=packed(mask),
        )

    def skip(self, place: Place, reason: str) -> None:
        """No answer for this image, and why."""
        self._decide(place, {"status": TrialStatus.SKIPPED.value, "note": reason})

    def flag(self, place: Place, reason: str = "") -> None:
        """Somebody should look at this image again."""
        self._decide(place, {"status": TrialStatus.FLAGGED.value, "note": reason})

    def reopen(self, place: Place) -> None:
        """The image is to be decided about again; its mask, and what was decided before, stay in the history."""
        self._decide(place, {"status": TrialStatus.IN_PROGRESS.value})

    # undo

    @property
    def next_undo(self) -> Edit | None:
        """The step that `undo` would take back."""
        return self.history.state.done[-1] if self.history.state.done else None

    @property
    def next_redo(self) -> Edit | None:
        """The step that `redo` would make again."""
        return self.history.state.undone[-1] if self.history.state.undone else None

    def is_settled(self, edit: Edit) -> bool:
        """Whether a reviewer has decided since about what this step was part of: then it is not to be turned back."""
        if self.status(edit.place) is TrialStatus.ACCEPTED:
            return True
        last = edit.after if isinstance(edit, Decision) else None
        return last is not None and self._is_reviewed_since(edit.place, last)

    def undo(self) -> Edit | None:
        """Take back the last step, whichever image it was on."""
        edit = self.history.undo()
        self._follow(edit)
        return edit

    def redo(self) -> Edit | None:
        """Make the last undone step again."""
        edit = self.history.redo()
        self._follow(edit)
        return edit

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self.history.state.done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to make again."""
        return bool(self.history.state.undone)

    def wait_until_written(self, seconds: float) -> None:
        """Wait until the study's files and catalog have what was decided, but not longer than this."""
        if not self.is_written:
            wait([self._writer.submit(lambda: None)], timeout=seconds)

    @property
    def is_written(self) -> bool:
        """Whether the study's files and catalog have everything."""
        with self._lock:
            return self._n_waiting == 0

    def close(self) -> None:
        """Write what is left and let go."""
        self._writer.shutdown(wait=True)
        self.history.close()

    def _first_mask(self, stored: Stored) -> Mask:
        if stored.mask is not None:
            return stored.mask
        if stored.maps is not None:
            return np.asarray(stored.maps.refined >= stored.threshold)
        width, height = self.study.image(stored.place[0]).size
        return np.zeros((height, width), np.bool_)

    def _decide(self, place: Place, after: dict[str, object], *, mask: bytes = b"") -> None:
        decided, n_reviews = self.history.state.decisions.get(place), self._newest_review(place)
        if decided is None or self._is_reviewed_since(place, decided):
            decided = {"status": self._status_before(place).value, "review": n_reviews}
        after = {**after, "review": n_reviews}
        self.history.do(Decision(place, decided, after, mask))
        self._write_down(place, after)

    def _status_before(self, place: Place) -> TrialStatus:
        status = self.status(place)
        # A look at this very sitting may not have reached the study yet.
        is_looked_at = any(
            isinstance(edit, MaskEdit) and edit.place == place and edit.tool == "gaze"
            for edit in self.history.state.done
        )
        return TrialStatus.IN_PROGRESS if status is TrialStatus.NEW and is_looked_at else status

    def _newest_review(self, place: Place) -> int:
        """The number of the last decision that a reviewer made on this annotator's work; 0 where there is none."""
        reviews = all_reviews(self.study, image_id=place[0], target=place[1], annotator=self.annotator)
        return max((review.number for review in reviews if review.decision != "noted"), default=0)

    def _is_reviewed_since(self, place: Place, decided: Mapping[str, object]) -> bool:
        """Whether a reviewer decided after this decision was made: then it is not the last word."""
        return self._newest_review(place) > int(str(decided.get("review", 0)))

    def _follow(self, edit: Edit | None) -> None:
        if isinstance(edit, Decision):
            self._write_down(edit.place, self.history.state.decisions[edit.place])

    def store(self, work: Callable[[], None]) -> None:
        """Write something else into the study, in order with the decisions: a look comes before its acceptance."""
        with self._lock:
            self._n_waiting += 1
        self._writer.submit(work).add_done_callback(self._on_written)

    def _write_down(self, place: Place, decided: Mapping[str, object]) -> None:
        mask = self._accepted_mask(decided)
        self.store(lambda: self._store(place, decided, mask))

    def _store(self, place: Place, decided: Mapping[str, object], mask: Mask | None) -> None:
        image_id, target = place
        status = TrialStatus(str(decided["status"]))
        if mask is not None:
            stored = self.study.mask(image_id, self.annotator, target)
            if stored is None or not np.array_equal(stored, mask):
                self.study.save_mask(image_id, self.annotator, target, mask, origin=str(decided["origin"]))
        trial = self.study.trial(image_id, self.annotator, target)
        if trial is not None:
            outcome = Outcome(str(decided.get("outcome", trial.outcome.value)))
            note = str(decided.get("note", ""))
            if (trial.status, trial.outcome, trial.note) != (status, outcome, note):
                self.study.save_trial(replace(trial, status=status, outcome=outcome, note=note))
        if self.study.statuses(self.annotator, target).get(image_id) is not status:
            self.study.set_status(image_id, self.annotator, target, status)

    def _on_written(self, future: Future[None]) -> None:
        with self._lock:
            self._n_waiting -= 1
        problem = future.exception()
        if problem is not None:
            _log.error("a decision is in the journal but not yet in the study", exc_info=problem)
            self._on_problem(problem)

    def _bring_up_to_date(self) -> None:
        """Write what a crash kept from the study: the last decisions in full, older ones where the status differs."""
        state = self.history.state
        latest = {edit.place for edit in state.done[-LATEST:] if isinstance(edit, Decision)}
        targets = {target for _, target in state.decisions}
        known = {target: self.study.statuses(self.annotator, target) for target in targets}
        for place, decided in state.decisions.items():
            status = known[place[1]].get(place[0])
            if self._is_reviewed_since(place, decided):
                continue  # it was in the study, or nobody could have reviewed it
            if place in latest or status is None or status.value != decided["status"]:
                self._store(place, dict(decided), self._accepted_mask(decided))

    def _accepted_mask(self, decided: Mapping[str, object]) -> Mask | None:
        return self.history.state.accepted_mask(str(decided.get("sha256", "")))


def digest(mask: NDArray[np.bool_]) -> str:
    """A hash of a mask's pixels and size."""
    return hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()
