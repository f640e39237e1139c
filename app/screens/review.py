"""Reviewing: masks of several annotators side by side, over one another or in turns; one key per decision."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.consensus_preview import ConsensusPreview
from app.context import Services
from app.picture_loader import PictureLoader
from app.screen import Screen, screens
from app.seen_long_enough import SeenLongEnough
from app.slices_ahead import SlicesAhead
from app.texts import tr
from app.version_paging import VersionPaging
from app.widgets.case_list import CaseList
from app.widgets.edit_bar import EditBar
from app.widgets.mask_comparison import MODES, MaskComparison
from app.widgets.plain import EmptyState
from app.widgets.review_panel import ReviewPanel, colour_of
from app.widgets.viewer import PeekFilter, bind_view_actions, say_reading, say_unreadable
from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack
from domain.study import Role
from storage.mask_table import NOT_PEOPLE, MaskVersion
from storage.review_table import Decision, Review
from workflows.mask_history import restore
from workflows.review import Candidate, ReviewCase, cases, decide, history, last_decision, undo
from workflows.review_edit import ReviewEdit

_Key = tuple[str, tuple[MaskVersion, ...]]
_Picture = tuple[ImagePixels | SliceStack, int | None, list[NDArray[np.bool_]]]


@screens.register("review")
class ReviewScreen(Screen):
    """Accept, return or flag what annotators made; nothing of theirs is ever overwritten."""

    title: ClassVar[str] = "Review"
    icon: ClassVar[str] = "review"
    order: ClassVar[int] = 70
    roles: ClassVar[frozenset[Role]] = frozenset({Role.REVIEWER, Role.ADMIN})

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._cases: list[ReviewCase] = []
        self._place = 0
        self._wanted_name = ""
        self._slices = SlicesAhead(services.readers)
        self._before_restore: MaskVersion | None = None
        self.pictures: PictureLoader[_Key, _Picture] = PictureLoader(
            services.readers,
            self._read_picture,
            on_shown=self._show_picture,
            on_failed=self._on_unreadable,
            on_slow=lambda _key: self._show_nothing(),
        )
        self.shown = MaskComparison()
        self.canvas = self.shown.canvas
        self.seen = SeenLongEnough(self.canvas)
        self._empty = EmptyState(
            "review", tr("There is nothing to review yet."), tr("Worklist"), lambda: services.navigate("worklist")
        )
        self._body = QWidget()
        body = QHBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        self._list = CaseList(is_blind=services.role is Role.REVIEWER)
        body.addWidget(self._list)
        self.editing = EditBar(self, self.canvas, services.actions)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.editing)
        middle.addWidget(self.shown, 1)
        body.addLayout(middle, 1)
        self._panel = ReviewPanel(services.actions)
        self.consensus = ConsensusPreview(
            services,
            self.shown,
            self._panel,
            seen=lambda: None if self.editing.is_active else self._seen(),
            on_change=lambda is_shown: self._store_key.setEnabled(is_shown),
        )
        self.versions = VersionPaging(
            services,
            self.shown,
            self._panel.versions,
            hides_names=lambda: self._list.is_blind,
            before_past=lambda: self.consensus.drop(),
        )
        body.addWidget(self._panel)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._body, 1)
        whole.addWidget(self._empty, 1)
        self._bind()
        services.changed_elsewhere.connect(self._on_changed_elsewhere)

    def can_leave(self) -> bool:
        """An edit is saved or dropped first."""
        if self.editing.is_active and self.editing.edit is not None and self.editing.edit.is_changed:
            self._panel.said.setText(tr("Save the edit, or drop it, before you go on."))
            return False
        return True

    def on_hidden(self) -> None:
        if self.editing.is_active:
            self._end_edit()
        self.close_screen()

    def close_screen(self) -> None:
        self.pictures.stop()
        self._slices.stop()
        self.versions.start(None)

    def on_shown(self, **arguments: object) -> None:
        wanted = arguments.get("image_id")
        if isinstance(wanted, str):
            self._list.list_all()
        target = arguments.get("target")
        self._read(wanted if isinstance(wanted, str) else "", target=target if isinstance(target, str) else "")
        self.canvas.setFocus()

    # building

    def _bind(self) -> None:
        panel, bind = self._panel, self.services.actions.bind
        for signal, slot in (
            (panel.chosen, self._choose),
            (panel.mode_changed, self.shown.set_mode),
            (panel.edit_asked, self.edit),
            (panel.consensus_asked, self.next_consensus),
            (panel.store_asked, self.store_consensus),
            (panel.accept_asked, self.accept),
            (panel.return_asked, self.return_mask),
            (panel.flag_asked, self.flag),
            (panel.undo_asked, self.undo),
            (panel.comment_left, self.canvas.setFocus),
            (panel.versions.older_asked, partial(self.page_versions, -1)),
            (panel.versions.newer_asked, partial(self.page_versions, 1)),
            (panel.versions.restore_asked, self.restore),
            (self._list.wishes_changed, partial(self._read, "")),
            (self._list.chosen, self._open),
            (self.editing.saved, self._save_edit),
            (self.editing.dropped, self._end_edit),
        ):
            signal.connect(slot)
        self._keys: list[QAction] = [
            bind(self, "review.accept", self.accept),
            bind(self, "review.return", self.return_mask),
            bind(self, "review.flag", self.flag),
            bind(self, "review.undo", self.undo),
            bind(self, "review.flicker", self.next_mask),
            bind(self, "review.next", partial(self._list.go, 1)),
            bind(self, "review.previous", partial(self._list.go, -1)),
            bind(self, "review.comment", lambda: panel.comment.setFocus()),
            bind(self, "review.easy", partial(panel.say_difficulty, "easy")),
            bind(self, "review.medium", partial(panel.say_difficulty, "medium")),
            bind(self, "review.hard", partial(panel.say_difficulty, "hard")),
            bind(self, "review.mode", self.next_mode),
            bind(self, "review.blind", self._list.blind.toggle),
            bind(self, "review.edit", self.edit),
            bind(self, "review.older", partial(self.page_versions, -1)),
            bind(self, "review.newer", partial(self.page_versions, 1)),
            bind(self, "review.restore", self.restore),
            bind(self, "review.consensus", self.next_consensus),
        ]
        self._store_key = bind(self, "review.store", self.store_consensus)
        self._store_key.setEnabled(False)
        bind_view_actions(self, self.canvas, self.services.actions)
        self.canvas.unreadable.connect(self.services.show_error)
        PeekFilter(self, self.canvas, self.services.actions)

    # decisions

    def accept(self) -> None:
        """The chosen mask stands for this image."""
        self._decide("accepted")

    def flag(self) -> None:
        """Somebody else should look at this case."""
        self._decide("flagged")

    def return_mask(self) -> None:
        """Send the chosen mask back with a reason."""
        if self._decidable() is None or not self._has_seen():
            return
        self._panel.ask_reason(self.return_for)

    def return_for(self, reason: str) -> None:
        """Send the chosen mask back for this reason."""
        self._decide("returned", reason)

    def undo(self) -> None:
        """Take this person's last decision back and show its case, or the version restored a moment ago."""
        if self.editing.is_active or self._must_wait():
            return
        case, before = self._case(), self._before_restore
        if case is not None and before is not None and (before.image_id, before.target) == (case.image_id, case.target):
            self._restore(before, tr("Taken back: version {old} is the newest again, as version {new}."))
            self._before_restore = None
            return
        study, reviewer = self.services.open_study, self.services.annotator
        last = last_decision(study, reviewer=reviewer)
        if last is None:
            self._panel.said.setText(tr("There is no decision of yours to take back."))
            return
        undo(study, last.image_id, last.target, reviewer=reviewer)
        self.services.trial_saved.emit(last.image_id)
        if self._list.state and not any(_is_of(one, last) for one in self._cases_listed()):
            self._list.list_all()  # it is in none of the states that are listed
        self._read(last.image_id, stays=True, chosen=last.annotator, target=last.target)
        shown = next((one.shown_name for one in self._cases if _is_of(one, last)), last.image_id)
        self._panel.said.setText(
            tr("Taken back: {name}, {decision}. It can be decided about again.").format(
                name=shown, decision=tr(last.decision)
            )
        )

    def next_mask(self) -> None:
        """Show the next annotator's mask."""
        if self.shown.n_masks > 1:
            self._choose((self.shown.chosen + 1) % self.shown.n_masks)

    def next_mode(self) -> None:
        """Overlay, side by side, one at a time."""
        self._panel.modes.setCurrentIndex((self._panel.modes.currentIndex() + 1) % len(MODES))

    # versions

    def page_versions(self, step: int) -> None:
        """Show an older or newer version of the chosen mask against the newest."""
        if self._seen() is not None and not self.editing.is_active:
            self._panel.said.setText("")
            self.versions.page(step)

    def restore(self) -> None:
        """Make the older version that is shown the newest again, as a version of its own."""
        candidate, older = self._candidate(), self.versions.older
        if candidate is not None and older is not None:
            self._restore(older, tr("Version {old} is back, as version {new}; U takes it back."))
            self._before_restore = candidate.version

    def _restore(self, version: MaskVersion, words: str) -> None:
        made = restore(self.services.open_study, version, reviewer=self.services.annotator)
        self.services.trial_saved.emit(version.image_id)
        self._read(version.image_id, stays=True, chosen=version.annotator, target=version.target)
        self._panel.said.setText(words.format(old=version.version, new=made.version))

    # edits and consensus

    def edit(self) -> None:
        """Change the chosen mask; it becomes a version of its own, and what the annotator made stays."""
        candidate = self._decidable()
        if candidate is None or self.editing.is_active:
            return
        self.consensus.drop()
        work = ReviewEdit(self.services.open_study, candidate.version)
        self._set_editing(True)
        words = tr("Editing: {name}").format(name=candidate.shown_name)
        self.editing.start(work, words, colour_of(self.shown.chosen, candidate))

    def _save_edit(self) -> None:
        work, case = self.editing.edit, self._case()
        if work is None or case is None:
            return
        number = work.save(reviewer=self.services.annotator, comment=self._panel.comment.text().strip())
        self._end_edit()
        self.services.trial_saved.emit(case.image_id)
        self._read(case.image_id, stays=True, chosen=work.version.annotator, target=case.target)
        self._panel.said.setText(tr("Saved as version {n}; the one before stays.").format(n=number))

    def _end_edit(self) -> None:
        self.editing.stop()
        self._set_editing(False)
        self.canvas.setFocus()

    def _set_editing(self, is_editing: bool) -> None:
        for key in self._keys:
            key.setEnabled(not is_editing)
        self._panel.set_editing(is_editing)
        self._list.setEnabled(not is_editing)
        self.shown.set_alone(is_editing)

    def next_consensus(self) -> None:
        """Preview the majority, then STAPLE, then none; nothing is stored yet."""
        case = self._seen()
        if case is None:
            self.consensus.drop()
        else:
            self._start_versions()
            self.consensus.next(case)

    def store_consensus(self) -> None:
        """Keep the consensus that is shown as a version of its own; it can then be accepted."""
        found = self.consensus.shown
        if found is not None:
            number = found.store(self.services.open_study)
            self.services.trial_saved.emit(found.image_id)
            self._read(found.image_id, stays=True, chosen="consensus", target=found.target)
            self._panel.said.setText(tr("The consensus is stored, version {n}.").format(n=number))

    def _decide(self, decision: Decision, reason: str = "") -> None:
        case, candidate = self._case(), self._decidable()
        if case is None or candidate is None or self.editing.is_active or not self._has_seen():
            return
        is_new = decide(
            self.services.open_study,
            candidate.version,
            decision,
            reviewer=self.services.annotator,
            reason=reason,
            difficulty=self._panel.difficulty,
            comment=self._panel.comment.text().strip(),
        )
        self._panel.clear_words()
        self._before_restore = None
        self.services.trial_saved.emit(case.image_id)
        following = self._cases[self._place + 1] if self._place + 1 < len(self._cases) else case
        self._read(following.image_id, stays=True, target=following.target)
        words = tr("{name}: {decision}") if is_new else tr("{name}: {decision} already; nothing was written.")
        self._panel.said.setText(words.format(name=case.shown_name, decision=tr(decision)))

    # cases

    def _on_changed_elsewhere(self) -> None:
        """Another window decided: the list follows; the case in front stays as it is seen, whoever decides it."""
        if not self.isVisible() or not 0 <= self._place < len(self._cases):
            return
        here = self._cases[self._place]
        found = cases(self.services.open_study, state=self._list.state, blind=self._list.is_blind)
        place = next(
            (n for n, one in enumerate(found) if (one.image_id, one.target) == (here.image_id, here.target)), -1
        )
        if place < 0:
            return  # decided there, and filtered out: the list is read again when this case is left
        found[place] = replace(found[place], candidates=here.candidates)
        self._cases, self._place = found, place
        self._list.show_cases(found, place)

    def _read(self, image_id: str, *, stays: bool = False, chosen: str = "", target: str = "") -> None:
        state, study = self._list.state, self.services.open_study
        self._cases = self._cases_listed()
        has_any = bool(self._cases) or bool(state and cases(study))
        self._body.setVisible(has_any)
        self._empty.setVisible(not has_any)
        place = next(
            (n for n, one in enumerate(self._cases) if one.image_id == image_id and target in ("", one.target)), 0
        )
        self._list.show_cases(self._cases, place)
        self._open(place, chosen)

    def _open(self, place: int, chosen: str = "") -> None:
        self.consensus.drop()
        self.versions.start(None)
        self._panel.said.setText("")
        self._wanted_name = chosen
        if not 0 <= place < len(self._cases):
            self.pictures.stop()
            self.shown.show_case(None, [], [], [])
            return
        self._place = place
        near = [_key(self._cases[(place + step) % len(self._cases)]) for step in (0, 1, -1)]
        self.pictures.want(near[0], ahead=near[1:])

    def _read_picture(self, key: _Key) -> _Picture:
        study = self.services.open_study
        return *study.stack(key[0]), [study.read_version(version) for version in key[1]]

    def _show_picture(self, _key: _Key, picture: _Picture) -> None:
        case, (pixels, home_slice, masks) = self._cases[self._place], picture
        colours = [colour_of(number, candidate) for number, candidate in enumerate(case.candidates)]
        names = [candidate.shown_name for candidate in case.candidates]
        self.shown.show_case(pixels, masks, colours, names, home_slice=home_slice)
        self._slices.read_around(pixels, home_slice)
        past = "" if self._list.is_blind else history(self.services.open_study, case.image_id, case.target)
        self._panel.show_case(case.shown_name, case.candidates, past, 0)
        people = [candidate.version.annotator for candidate in case.candidates]
        self._panel.consensus.setEnabled(sum(name not in NOT_PEOPLE for name in people) > 1)
        self._choose(people.index(self._wanted_name) if self._wanted_name in people else 0)

    def _show_nothing(self) -> None:
        self.shown.show_case(None, [], [], [])
        say_reading(self.canvas)

    def _on_unreadable(self, key: _Key, error: BaseException) -> None:
        self._show_nothing()
        case = self._cases[self._place]
        self._panel.show_case(case.shown_name, (), "", 0)
        say_unreadable(self.canvas, key[0], error)

    def _choose(self, number: int) -> None:
        self._panel.choose(number)
        self.shown.choose(number)
        self.seen.begin()
        self._start_versions()

    def _start_versions(self) -> None:
        candidate = self._candidate()
        self.versions.start(candidate.version if candidate is not None else None)

    def _case(self) -> ReviewCase | None:
        return self._cases[self._place] if 0 <= self._place < len(self._cases) else None

    @property
    def is_seen(self) -> bool:
        """Whether the case that is chosen in the list is on the screen."""
        case = self._case()
        return case is not None and self.pictures.shown == _key(case)

    def _seen(self) -> ReviewCase | None:
        """The case on the screen; None, and a word, while it is being read: no key acts on what nobody sees."""
        self._must_wait()
        return self._case() if self.is_seen else None

    def _must_wait(self) -> bool:
        if self.pictures.is_waiting:
            self._panel.said.setText(tr("The image is still being read."))
        return self.pictures.is_waiting

    def _has_seen(self) -> bool:
        """Whether the mask has stood long enough to be decided about; a quiet word where it has not."""
        if not self.seen.is_enough:
            self._panel.said.setText(tr("That key came before the mask could be seen. Press it again to decide."))
        return self.seen.is_enough

    def _cases_listed(self) -> list[ReviewCase]:
        return cases(self.services.open_study, state=self._list.state, blind=self._list.is_blind)

    def _candidate(self) -> Candidate | None:
        case = self._case() if self.is_seen else None
        return case.candidates[self.shown.chosen] if case is not None and case.candidates else None

    def _decidable(self) -> Candidate | None:
        """The chosen mask, where the newest version of it is what is shown."""
        if self._seen() is not None and self.versions.older is not None:
            self._panel.said.setText(tr("An older version is shown. Restore it, or go back to the newest."))
            return None
        return self._candidate()


def _is_of(case: ReviewCase, review: Review) -> bool:
    return (case.image_id, case.target) == (review.image_id, review.target)


def _key(case: ReviewCase) -> _Key:
    return case.image_id, tuple(candidate.version for candidate in case.candidates)
