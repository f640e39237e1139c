"""Review: look at what came back, accept it, return it with a reason, flag it, or correct it as a new version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.errors import UserFacingError
from domain.study import Role, TrialStatus
from storage import assignment_table, audit_log, review_table
from storage.mask_table import CONSENSUS, NOT_PEOPLE, MaskVersion
from storage.review_table import Decision, Difficulty, Review
from storage.study import Study

QUICK_REASONS = ("border too wide", "border too tight", "part missing", "wrong place", "no target here", "bad gaze")

_STATUS_AFTER = {
    "accepted": TrialStatus.ACCEPTED,
    "returned": TrialStatus.RETURNED,
    "flagged": TrialStatus.FLAGGED,
    "reopened": TrialStatus.DONE,
}


@dataclass(frozen=True)
class Candidate:
    """The newest mask of one annotator, as the reviewer sees it; in blind mode `shown_name` hides who it was."""

    version: MaskVersion
    shown_name: str
    state: str


@dataclass(frozen=True)
class ReviewCase:
    """One image and target with all annotators' newest masks. `state` is new, accepted, returned or flagged."""

    image_id: str
    target: str
    shown_name: str
    candidates: tuple[Candidate, ...]
    state: str


def cases(study: Study, *, target: str = "", state: str = "", blind: bool = False) -> list[ReviewCase]:
    """All images with a mask of somebody, in the order of the study; `state` keeps those that are in it."""
    newest: dict[tuple[str, str], dict[str, MaskVersion]] = {}
    for version in study.standing_versions(target=target):
        newest.setdefault((version.image_id, version.target), {})[version.annotator] = version
    decided: dict[tuple[str, str, str], Review] = {}
    for review in all_reviews(study):
        if review.decision != "noted":
            decided[review.image_id, review.target, review.annotator] = review
    study.require("see others")
    found = []
    for place, image in enumerate(study.images()):
        for one in study.settings.targets:
            by_annotator = newest.get((image.image_id, one.name))
            if not by_annotator:
                continue
            people = sorted(by_annotator.keys() - {CONSENSUS})
            names = _blind_order(image.image_id, people) if blind else people
            names += [CONSENSUS] if CONSENSUS in by_annotator else []
            candidates = tuple(
                Candidate(
                    version=by_annotator[name],
                    shown_name=f"Reader {number}" if blind and name != CONSENSUS else name,
                    state=_state(by_annotator[name], decided.get((image.image_id, one.name, name))),
                )
                for number, name in enumerate(names, start=1)
            )
            states = {candidate.state for candidate in candidates}
            whole = next((s for s in ("accepted", "flagged", "new", "returned") if s in states), "new")
            shown = f"Image {place + 1}" if blind else image.image_id
            if not state or whole == state:
                found.append(ReviewCase(image.image_id, one.name, shown, candidates, whole))
    return found


def history(study: Study, image_id: str, target: str) -> str:
    """The last decision on an image and who made it, as a sentence; empty where there is none."""
    decisions = all_reviews(study, image_id=image_id, target=target)
    if not decisions:
        return ""
    last = decisions[-1]
    words = ", ".join(word for word in (last.reason, last.difficulty, last.comment) if word)
    return f"{last.reviewer}: {last.decision} {last.annotator}, version {last.version}{f' ({words})' if words else ''}"


def decide(
    study: Study,
    version: MaskVersion,
    decision: Decision,
    *,
    reviewer: str,
    reason: str = "",
    difficulty: Difficulty = "",
    comment: str = "",
) -> bool:
    """Store a decision on one version; the annotator's assignment follows it. False where it stands already as it is.

    Accepting one annotator's mask takes the acceptance of another's back: one mask stands for an image and target.

    Raises:
        UserFacingError: a return without a reason, or the reviewer's own work where somebody else could review it.
    """
    study.require("review", own=reviewer)
    if decision == "returned" and not (reason or comment):
        raise UserFacingError("A return needs a reason.", f"For example: {', '.join(QUICK_REASONS[:3])}.")
    is_own = decision == "accepted" and version.annotator == reviewer
    if is_own and not works_alone(study, reviewer):
        raise UserFacingError("Nobody accepts a mask of their own.", "Ask another reviewer.")
    review = Review(
        image_id=version.image_id,
        target=version.target,
        annotator=version.annotator,
        version=version.version,
        reviewer=reviewer,
        decision=decision,
        reason=reason,
        difficulty=difficulty,
        comment=comment,
    )
    before = study.accepted_version(version.image_id, version.target)
    if _stands_already(study, review, before):
        return False
    with study.catalog.writing() as connection:
        review_table.insert(connection, review)
        if decision in _STATUS_AFTER:
            changes = {version.annotator: _STATUS_AFTER[decision]}
            if decision == "accepted" and before is not None and before.annotator != version.annotator:
                changes[before.annotator] = TrialStatus.DONE
            for annotator, status in changes.items():
                if annotator in NOT_PEOPLE:
                    continue  # a status would take a read away from somebody
                assignment_table.set_status(
                    connection, version.image_id, annotator, target=version.target, status=status
                )
        subject = f"{version.image_id}/{version.annotator}/{version.target}/{version.version}"
        facts: dict[str, object] = {"reason": reason, "difficulty": difficulty, "comment": comment}
        if is_own:
            facts["own_work"] = True  # whoever works alone has nobody to ask; the log says so
        audit_log.append(connection, reviewer, f"review: {decision}", subject, facts)
    return True


def _stands_already(study: Study, review: Review, accepted: MaskVersion | None) -> bool:
    """Whether the same reviewer said the same, in the same words, of the same version last, and it still holds."""
    if review.decision == "noted":
        return False
    if review.decision == "accepted" and (accepted is None or accepted.annotator != review.annotator):
        return False  # another mask was accepted since
    said = all_reviews(study, image_id=review.image_id, target=review.target, annotator=review.annotator)
    last = next((one for one in reversed(said) if one.decision != "noted"), None)
    return last is not None and replace(last, decided_at="", number=0) == review


def works_alone(study: Study, reviewer: str) -> bool:
    """Whether this person may review and nobody else in the study may: then there is nobody to ask.

    Who was never entered, as in the sample study, may do everything. Programs are nobody to ask.
    """
    roles = {one.name: one.role for one in study.people()}
    own = roles.pop(reviewer, Role.ADMIN)
    return own is not Role.ANNOTATOR and all(role is Role.ANNOTATOR for role in roles.values())


def last_decision(study: Study, *, reviewer: str) -> Review | None:
    """The newest decision of this person that still stands: nobody decided on that image after it.

    What somebody else has said something about since is theirs to take back; older ones of this person come before it.
    """
    newest: dict[tuple[str, str], Review] = {}
    for review in all_reviews(study):
        if review.decision != "noted":
            newest[review.image_id, review.target] = review
    mine = [one for one in newest.values() if one.reviewer == reviewer and one.decision != "reopened"]
    return max(mine, key=lambda one: one.number, default=None)


def undo(study: Study, image_id: str, target: str, *, reviewer: str) -> Review:
    """Take the last decision on an image back; the decision itself stays in the log.

    Raises:
        UserFacingError: there is none.
    """
    decisions = [r for r in all_reviews(study, image_id=image_id, target=target) if r.decision != "noted"]
    if not decisions or decisions[-1].decision == "reopened":
        raise UserFacingError(f"There is no decision on {image_id} to take back.", "")
    last = decisions[-1]
    versions = study.mask_versions(image_id, last.annotator, target)
    version = next(v for v in versions if v.version == last.version)
    decide(study, version, "reopened", reviewer=reviewer, comment=f"took back: {last.decision}")
    return last


def correct(study: Study, version: MaskVersion, mask: NDArray[np.bool_], *, reviewer: str, comment: str = "") -> int:
    """Store a reviewer's edit as the next version of the annotator's mask; the original stays as it is."""
    study.require("review", own=reviewer)
    before, study.actor = study.actor, reviewer
    try:
        return study.save_mask(
            version.image_id,
            version.annotator,
            version.target,
            mask,
            origin="review",
            parent=version.version,
            facts={"comment": comment},
        )
    finally:
        study.actor = before


def all_reviews(study: Study, *, image_id: str = "", target: str = "", annotator: str = "") -> list[Review]:
    """Decisions that fit all that is given, oldest first."""
    with study.catalog.reading() as connection:
        return review_table.find(connection, image_id=image_id, target=target, annotator=annotator)


def return_rates(study: Study) -> dict[str, tuple[int, int]]:
    """For each annotator: how many masks were returned, of how many decided (accepted or returned)."""
    rates: dict[str, tuple[int, int]] = {}
    for review in all_reviews(study):
        if review.decision in ("accepted", "returned"):
            returned, n = rates.get(review.annotator, (0, 0))
            rates[review.annotator] = (returned + (review.decision == "returned"), n + 1)
    return rates


def _state(version: MaskVersion, review: Review | None) -> str:
    # A version made after the decision has not been looked at yet.
    if review is None or review.decision == "reopened" or review.version < version.version:
        return "new"
    return review.decision


def _blind_order(image_id: str, names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(f"{image_id}|{name}".encode()).digest())
