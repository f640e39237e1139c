"""The list of images as one annotator sees it: own order, own status, names masked where they must be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from domain.study import Role, TrialStatus
from storage.study import Study
from workflows.reading_order import ReadingOrder, in_order

FINISHED = frozenset({TrialStatus.DONE, TrialStatus.ACCEPTED, TrialStatus.FLAGGED, TrialStatus.SKIPPED})


@dataclass(frozen=True)
class WorklistRow:
    """One image in the list. `number` is its place in this annotator's order, from 1."""

    image_id: str
    number: int
    shown_name: str
    status: TrialStatus
    split: str
    case: str
    size: tuple[int, int]
    n_slices: int = 1
    seconds: float = float("nan")
    loss: float = float("nan")
    uncertainty: float = float("nan")
    note: str = ""


@dataclass(frozen=True)
class Worklist:
    """All rows, and how far this annotator and everybody has come."""

    rows: list[WorklistRow]
    counts: Counter[TrialStatus] = field(default_factory=Counter)
    n_done_by_all: int = 0
    order: ReadingOrder = ReadingOrder.RANDOM
    is_predicted: bool = False

    @property
    def n_finished(self) -> int:
        """How many images this annotator has finished."""
        return sum(self.counts[status] for status in FINISHED)


def masked_name(number: int) -> str:
    """What an annotator reads instead of a file name, which could tell patient or finding."""
    return f"Image {number}"


def make_worklist(study: Study, annotator: str, target: str, *, role: Role) -> Worklist:
    """The images in the order in which this annotator reads them; a row's `number` is its place in the random order.

    Annotators read masked names, admins and reviewers real ones.
    """
    images = {image.image_id: image for image in study.images()}
    statuses = study.statuses(annotator, target)
    newest = {trial.image_id: trial for trial in study.trials(annotator=annotator, target=target)}
    seeded = study.order(annotator)
    numbers = {image_id: number for number, image_id in enumerate(seeded, start=1)}
    order, chosen, doubts = in_order(study, annotator, target, seeded)
    rows = []
    for image_id in order:
        number = numbers[image_id]
        image, trial = images[image_id], newest.get(image_id)
        rows.append(
            WorklistRow(
                image_id=image_id,
                number=number,
                shown_name=masked_name(number) if role is Role.ANNOTATOR else image_id,
                status=statuses.get(image_id, TrialStatus.NEW),
                split=image.split,
                case="" if role is Role.ANNOTATOR else image.case,
                size=image.size,
                n_slices=image.n_slices,
                seconds=trial.duration_s if trial is not None else float("nan"),
                loss=trial.quality.loss if trial is not None else float("nan"),
                uncertainty=doubts.get(image_id, float("nan")),
                note=trial.note if trial is not None else "",
            )
        )
    done_by_all = {trial.image_id for trial in study.trials(target=target) if trial.status in FINISHED}
    counts = Counter(row.status for row in rows)
    return Worklist(rows, counts, len(done_by_all), order=chosen, is_predicted=bool(doubts))


def next_unfinished(rows: list[WorklistRow]) -> WorklistRow | None:
    """The first image that this annotator has still to do: returned ones first, then in order."""
    for wanted in ({TrialStatus.RETURNED}, {TrialStatus.IN_PROGRESS, TrialStatus.NEW}):
        for row in rows:
            if row.status in wanted:
                return row
    return None


def search(rows: list[WorklistRow], text: str, statuses: frozenset[TrialStatus] = frozenset()) -> list[WorklistRow]:
    """Rows whose name, number, case or split holds every word, and whose status is among those chosen (none = all)."""
    words = text.lower().split()

    def fits(row: WorklistRow) -> bool:
        line = f"{row.shown_name} {row.number} {row.case} {row.split} {row.status.value} {row.note}".lower()
        return (not statuses or row.status in statuses) and all(word in line for word in words)

    return [row for row in rows if fits(row)] if words or statuses else list(rows)
