"""Reviewing: masks of several annotators side by side, over one another or in turns; one key per decision."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from app.context import Services
from app.screen import Screen, screens
from app.texts import tr
from app.theme import status_icon
from app.widgets.edit_bar import EditBar
from app.widgets.mask_comparison import MODES, MaskComparison
from app.widgets.plain import EmptyState, label
from app.widgets.review_panel import ReviewPanel, colour_of
from app.widgets.viewer import PeekFilter, bind_view_actions
from domain.events import CancelToken, OnProgress
from domain.study import Role, TrialStatus
from storage.mask_table import NOT_PEOPLE
from storage.review_table import Decision
from workflows.agreement import Consensus, Method, find_consensus
from workflows.review import QUICK_REASONS, Candidate, ReviewCase, cases, decide, history, undo
from workflows.review_edit import ReviewEdit

_MARKS = {
    "new": TrialStatus.DONE,
    "accepted": TrialStatus.ACCEPTED,
    "returned": TrialStatus.RETURNED,
    "flagged": TrialStatus.FLAGGED,
}
STATES = ("", "new", "flagged", "returned", "accepted")
# K goes through these: what is shown now, what comes next.
NEXT_METHOD: dict[str, Method | None] = {"": "majority", "majority": "staple", "staple": None}


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
        self._preview: Consensus | None = None
        self.shown = MaskComparison()
        self.canvas = self.shown.canvas
        self._empty = EmptyState(
            "review", tr("There is nothing to review yet."), tr("Worklist"), lambda: services.navigate("worklist")
        )
        self._body = QWidget()
        body = QHBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        body.addWidget(self._case_list())
        self.editing = EditBar(self, self.canvas, services.actions)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.editing)
        middle.addWidget(self.shown, 1)
        body.addLayout(middle, 1)
        self._panel = ReviewPanel(services.actions)
        body.addWidget(self._panel)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._body, 1)
        whole.addWidget(self._empty, 1)
        self._bind()

    def can_leave(self) -> bool:
        """An edit is saved or dropped first."""
        if self.editing.is_active and self.editing.edit is not None and self.editing.edit.is_changed:
            self._panel.said.setText(tr("Save the edit, or drop it, before you go on."))
            return False
        return True

    def on_hidden(self) -> None:
        if self.editing.is_active:
            self._end_edit()

    def on_shown(self, **arguments: object) -> None:
        wanted = arguments.get("image_id")
        if isinstance(wanted, str):
            self._filter.setCurrentIndex(0)
        target = arguments.get("target")
        self._read(wanted if isinstance(wanted, str) else "", target=target if isinstance(target, str) else "")
        self.canvas.setFocus()

    # building

    def _case_list(self) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "rail")
        frame.setFixedWidth(224)
        column = QVBoxLayout(frame)
        column.setContentsMargins(12, 14, 12, 12)
        column.setSpacing(8)
        self._counter = label("", "small")
        self._filter = QComboBox()
        for state in STATES:
            self._filter.addItem(tr(state) if state else tr("all states"), state)
        self._filter.setAccessibleName(tr("Which cases are listed"))
        self._filter.currentIndexChanged.connect(lambda _index: self._read(""))
        self._blind = QCheckBox(tr("Blind: hide names"))
        self._blind.setChecked(self.services.role is Role.REVIEWER)
        self._blind.toggled.connect(lambda _on: self._read(""))
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Cases"))
        self._list.currentRowChanged.connect(self._open)
        for widget in (self._filter, self._blind, self._counter, self._list):
            column.addWidget(widget)
        return frame

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
            bind(self, "review.next", partial(self._go, 1)),
            bind(self, "review.previous", partial(self._go, -1)),
            bind(self, "review.comment", lambda: panel.comment.setFocus()),
            bind(self, "review.easy", partial(panel.say_difficulty, "easy")),
            bind(self, "review.medium", partial(panel.say_difficulty, "medium")),
            bind(self, "review.hard", partial(panel.say_difficulty, "hard")),
            bind(self, "review.mode", self.next_mode),
            bind(self, "review.blind", self._blind.toggle),
            bind(self, "review.edit", self.edit),
            bind(self, "review.consensus", self.next_consensus),
        ]
        self._store_key = bind(self, "review.store", self.store_consensus)
        self._store_key.setEnabled(False)
        bind_view_actions(self, self.canvas, self.services.actions)
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
        if self._candidate() is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for number, reason in enumerate(QUICK_REASONS, start=1):
            menu.addAction(f"&{number}   {tr(reason)}", partial(self.return_for, reason))
        menu.popup(self._panel.back.mapToGlobal(self._panel.back.rect().topLeft()))

    def return_for(self, reason: str) -> None:
        """Send the chosen mask back for this reason."""
        self._decide("returned", reason)

    def undo(self) -> None:
        """Take the last decision on this image back."""
        case = self._case()
        if case is not None and not self.editing.is_active:
            undo(self.services.open_study, case.image_id, case.target, reviewer=self.services.annotator)
            self._read(case.image_id, stays=True, target=case.target)
            self._panel.said.setText(tr("The last decision was taken back."))

    def next_mask(self) -> None:
        """Show the next annotator's mask."""
        if self.shown.n_masks > 1:
            self._choose((self.shown.chosen + 1) % self.shown.n_masks)

    def next_mode(self) -> None:
        """Overlay, side by side, one at a time."""
        self._panel.modes.setCurrentIndex((self._panel.modes.currentIndex() + 1) % len(MODES))

    # edits and consensus

    def edit(self) -> None:
        """Change the chosen mask; it becomes a version of its own, and what the annotator made stays."""
        candidate = self._candidate()
        if candidate is None or self.editing.is_active:
            return
        self._drop_preview()
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
        self._filter.setEnabled(not is_editing)
        self._blind.setEnabled(not is_editing)
        self.shown.set_alone(is_editing)

    def next_consensus(self) -> None:
        """Preview the majority, then STAPLE, then none; nothing is stored yet."""
        case = self._case()
        method = NEXT_METHOD[self._preview.method if self._preview is not None else ""]
        if case is None or method is None:
            self._drop_preview()
            return
        study, image_id, target = self.services.open_study, case.image_id, case.target

        def work(_report: OnProgress, _cancel: CancelToken) -> Consensus:
            return find_consensus(study, image_id, target=target, method=method)

        self.services.tasks.start("", work, on_done=self._show_preview)

    def store_consensus(self) -> None:
        """Keep the consensus that is shown as a version of its own; it can then be accepted."""
        found = self._preview
        if found is not None:
            number = found.store(self.services.open_study)
            self.services.trial_saved.emit(found.image_id)
            self._read(found.image_id, stays=True, chosen="consensus", target=found.target)
            self._panel.said.setText(tr("The consensus is stored, version {n}.").format(n=number))

    def _show_preview(self, found: Consensus) -> None:
        case = self._case()
        if case is None or (case.image_id, case.target) != (found.image_id, found.target) or self.editing.is_active:
            return
        self._preview = found
        self._store_key.setEnabled(True)
        self._panel.show_consensus(found, [(c.version.annotator, c.shown_name) for c in case.candidates])
        self.shown.set_preview(found.mask)

    def _drop_preview(self) -> None:
        self._preview = None
        self._store_key.setEnabled(False)
        self._panel.show_consensus(None, [])
        self.shown.set_preview(None)

    def _decide(self, decision: Decision, reason: str = "") -> None:
        case, candidate = self._case(), self._candidate()
        if case is None or candidate is None or self.editing.is_active:
            return
        decide(
            self.services.open_study,
            candidate.version,
            decision,
            reviewer=self.services.annotator,
            reason=reason,
            difficulty=self._panel.difficulty,
            comment=self._panel.comment.text().strip(),
        )
        self._panel.clear_words()
        self.services.trial_saved.emit(case.image_id)
        following = self._cases[self._place + 1] if self._place + 1 < len(self._cases) else case
        self._read(following.image_id, stays=True, target=following.target)
        self._panel.said.setText(tr("{name}: {decision}").format(name=case.shown_name, decision=tr(decision)))

    # cases

    def _read(self, image_id: str, *, stays: bool = False, chosen: str = "", target: str = "") -> None:
        state = "" if stays and self._filter.currentIndex() == 0 else str(self._filter.currentData())
        self._cases = cases(self.services.open_study, state=state, blind=self._blind.isChecked())
        everything = self._cases if not state else cases(self.services.open_study)
        self._body.setVisible(bool(everything))
        self._empty.setVisible(not everything)
        self._list.blockSignals(True)
        self._list.clear()
        for case in self._cases:
            words = tr("{name}\n{n} masks · {state}").format(
                name=case.shown_name, n=len(case.candidates), state=tr(case.state)
            )
            self._list.addItem(QListWidgetItem(status_icon(_MARKS[case.state]), words))
        decided = sum(case.state in ("accepted", "returned") for case in self._cases)
        self._counter.setText(tr("{n} of {total} decided").format(n=decided, total=len(self._cases)))
        place = next(
            (n for n, one in enumerate(self._cases) if one.image_id == image_id and target in ("", one.target)), 0
        )
        self._list.setCurrentRow(place)
        self._list.blockSignals(False)
        self._open(place)
        now = self._case()
        names = [candidate.version.annotator for candidate in now.candidates] if now is not None else []
        if chosen in names:
            self._choose(names.index(chosen))

    def _open(self, place: int) -> None:
        self._drop_preview()
        if not 0 <= place < len(self._cases):
            self.shown.show_case(None, [], [], [])
            return
        self._place = place
        case, study = self._cases[place], self.services.open_study
        masks = [study.read_version(candidate.version) for candidate in case.candidates]
        colours = [colour_of(number, candidate) for number, candidate in enumerate(case.candidates)]
        names = [candidate.shown_name for candidate in case.candidates]
        self.shown.show_case(study.pixels(case.image_id), masks, colours, names)
        past = "" if self._blind.isChecked() else history(study, case.image_id, case.target)
        self._panel.said.setText("")
        self._panel.show_case(case.shown_name, case.candidates, past, 0)
        n_people = sum(candidate.version.annotator not in NOT_PEOPLE for candidate in case.candidates)
        self._panel.consensus.setEnabled(n_people > 1)

    def _choose(self, number: int) -> None:
        self._panel.choose(number)
        self.shown.choose(number)

    def _go(self, step: int) -> None:
        if self._cases:
            self._list.setCurrentRow((self._place + step) % len(self._cases))

    def _case(self) -> ReviewCase | None:
        return self._cases[self._place] if 0 <= self._place < len(self._cases) else None

    def _candidate(self) -> Candidate | None:
        case = self._case()
        return case.candidates[self.shown.chosen] if case is not None and case.candidates else None
