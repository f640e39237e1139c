"""Reviewing: masks of several annotators side by side, over one another or in turns; one key per decision."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from app.colour_maps import LEVEL_COLOURS
from app.context import Services
from app.screen import Screen, screens
from app.texts import tr
from app.theme import status_icon
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import Layer, MaskLayer, OutlineLayer
from app.widgets.plain import EmptyState, button, label, line, row
from app.widgets.viewer import PeekFilter, bind_view_actions
from domain.study import Role, TrialStatus
from domain.view import ImageView
from storage.review_table import Decision, Difficulty
from workflows.review import QUICK_REASONS, Candidate, ReviewCase, cases, decide, undo

_MARKS = {
    "new": TrialStatus.DONE,
    "accepted": TrialStatus.ACCEPTED,
    "returned": TrialStatus.RETURNED,
    "flagged": TrialStatus.FLAGGED,
}
STATES = ("", "new", "flagged", "returned", "accepted")
DIFFICULTIES: tuple[Difficulty, ...] = ("", "easy", "medium", "hard")
OVERLAY, SIDE_BY_SIDE, FLICKER = "overlay", "side by side", "one at a time"


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
        self._chosen = 0
        self._mode = OVERLAY
        self._masks: list[NDArray[np.bool_]] = []
        self._is_linking = False
        self.canvas = ImageCanvas()
        self._others: list[ImageCanvas] = []
        self._empty = EmptyState(
            "review", tr("There is nothing to review yet."), tr("Worklist"), lambda: services.navigate("worklist")
        )
        self._body = QWidget()
        body = QHBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        body.addWidget(self._case_list())
        self._canvases = QHBoxLayout()
        self._canvases.setSpacing(2)
        self._canvases.addWidget(self.canvas, 1)
        body.addLayout(self._canvases, 1)
        body.addWidget(self._panel())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._body, 1)
        whole.addWidget(self._empty, 1)
        self.canvas.view_changed.connect(self._on_view_changed)
        self._bind()

    def on_shown(self, **arguments: object) -> None:
        wanted = arguments.get("image_id")
        if isinstance(wanted, str):
            self._filter.setCurrentIndex(0)
        self._read(wanted if isinstance(wanted, str) else "")
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

    def _panel(self) -> QFrame:
        panel = QFrame()
        panel.setProperty("role", "bar")
        panel.setFixedWidth(300)
        column = QVBoxLayout(panel)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(9)
        self._name = label("", "heading")
        column.addWidget(self._name)
        column.addWidget(label(tr("Masks of this image"), "muted"))
        self._candidates = QVBoxLayout()
        self._candidates.setSpacing(4)
        self._candidate_group = QButtonGroup(self)
        self._candidate_group.idClicked.connect(self._choose)
        column.addLayout(self._candidates)
        column.addWidget(line())
        self._modes = QComboBox()
        for mode in (OVERLAY, SIDE_BY_SIDE, FLICKER):
            self._modes.addItem(tr(mode).capitalize(), mode)
        self._modes.setAccessibleName(tr("How masks are compared"))
        self._modes.currentIndexChanged.connect(self._on_mode)
        column.addWidget(self._modes)
        column.addWidget(label(tr("Space changes the mask; hold Tab to see the image alone."), "small", wraps=True))
        column.addWidget(line())
        self._difficulty = QComboBox()
        for difficulty in DIFFICULTIES:
            self._difficulty.addItem(tr(difficulty) if difficulty else tr("Difficulty: not said"), difficulty)
        self._difficulty.setAccessibleName(tr("Difficulty"))
        self._comment = QLineEdit()
        self._comment.setPlaceholderText(tr("Comment"))
        self._comment.returnPressed.connect(lambda: self.canvas.setFocus())
        column.addWidget(self._difficulty)
        column.addWidget(self._comment)
        column.addStretch(1)
        self._said = label("", "small", wraps=True)
        column.addWidget(self._said)
        actions = self.services.actions
        self._return = button(tr("Return…"), self.return_mask, icon_name="undo")
        flag = button(tr("Flag"), self.flag, icon_name="flag")
        take_back = button(tr("Undo"), self.undo, icon_name="undo", role="quiet")
        accept = button(tr("Accept"), self.accept, role="primary", icon_name="check")
        for made, action_id in (
            (self._return, "review.return"),
            (flag, "review.flag"),
            (take_back, "review.undo"),
            (accept, "review.accept"),
        ):
            actions.decorate(made, action_id)
        column.addLayout(row(take_back, flag))
        column.addLayout(row(self._return, accept))
        return panel

    def _bind(self) -> None:
        bind = self.services.actions.bind
        bind(self, "review.accept", self.accept)
        bind(self, "review.return", self.return_mask)
        bind(self, "review.flag", self.flag)
        bind(self, "review.undo", self.undo)
        bind(self, "review.flicker", self.next_mask)
        bind(self, "review.next", partial(self._go, 1))
        bind(self, "review.previous", partial(self._go, -1))
        bind(self, "review.comment", lambda: self._comment.setFocus())
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
        menu.popup(self._return.mapToGlobal(self._return.rect().topLeft()))

    def return_for(self, reason: str) -> None:
        """Send the chosen mask back for this reason."""
        self._decide("returned", reason)

    def undo(self) -> None:
        """Take the last decision on this image back."""
        case = self._case()
        if case is not None:
            undo(self.services.open_study, case.image_id, case.target, reviewer=self.services.annotator)
            self._read(case.image_id, stays=True)
            self._said.setText(tr("The last decision was taken back."))

    def next_mask(self) -> None:
        """Show the next annotator's mask."""
        if len(self._masks) > 1:
            self._choose((self._chosen + 1) % len(self._masks))

    def _decide(self, decision: Decision, reason: str = "") -> None:
        case, candidate = self._case(), self._candidate()
        if case is None or candidate is None:
            return
        decide(
            self.services.open_study,
            candidate.version,
            decision,
            reviewer=self.services.annotator,
            reason=reason,
            difficulty=DIFFICULTIES[self._difficulty.currentIndex()],
            comment=self._comment.text().strip(),
        )
        self._comment.clear()
        self._difficulty.setCurrentIndex(0)
        self.services.trial_saved.emit(case.image_id)
        following = self._cases[self._place + 1].image_id if self._place + 1 < len(self._cases) else case.image_id
        self._read(following, stays=True)
        self._said.setText(tr("{name}: {decision}").format(name=case.shown_name, decision=tr(decision)))

    # cases

    def _read(self, image_id: str, *, stays: bool = False) -> None:
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
        place = next((n for n, case in enumerate(self._cases) if case.image_id == image_id), 0)
        self._list.setCurrentRow(place)
        self._list.blockSignals(False)
        self._open(place)

    def _open(self, place: int) -> None:
        if not 0 <= place < len(self._cases):
            self.canvas.set_pixels(None)
            self._masks = []
            return
        self._place, self._chosen = place, 0
        case = self._cases[place]
        study = self.services.open_study
        self._masks = [study.read_version(candidate.version) for candidate in case.candidates]
        self._name.setText(case.shown_name)
        self._said.setText("")
        self._show_candidates(case)
        pixels = study.pixels(case.image_id)
        self.canvas.set_pixels(pixels)
        self._lay_canvases()
        for other in self._others:
            other.set_pixels(pixels)
        self._show_masks()

    def _show_candidates(self, case: ReviewCase) -> None:
        while (item := self._candidates.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                self._candidate_group.removeButton(old)  # type: ignore[arg-type]  # only radio buttons are in there
                old.deleteLater()
        for number, candidate in enumerate(case.candidates):
            words = tr("{name}, version {n}: {state}").format(
                name=candidate.shown_name, n=candidate.version.version, state=tr(candidate.state)
            )
            made = QRadioButton(words)
            colour = LEVEL_COLOURS[number % len(LEVEL_COLOURS)]
            made.setStyleSheet(f"border-left: 4px solid {colour}; padding-left: 8px;")
            made.setChecked(number == self._chosen)
            self._candidate_group.addButton(made, number)
            self._candidates.addWidget(made)

    def _choose(self, number: int) -> None:
        self._chosen = number
        chosen = self._candidate_group.button(number)
        if chosen is not None:
            chosen.setChecked(True)
        self._show_masks()

    def _show_masks(self) -> None:
        if self._mode == SIDE_BY_SIDE and len(self._masks) > 1:
            for number, canvas in enumerate([self.canvas, *self._others]):
                canvas.set_layers({"mask": self._layer(number)})
            return
        layers: dict[str, Layer] = {}
        if self._mode == OVERLAY:
            for number, mask in enumerate(self._masks):
                if number != self._chosen:
                    layers[f"mask {number}"] = OutlineLayer(mask, LEVEL_COLOURS[number % len(LEVEL_COLOURS)])
        if self._masks:
            layers["chosen"] = self._layer(self._chosen)
        self.canvas.set_layers(layers)

    def _layer(self, number: int) -> Layer:
        return MaskLayer(self._masks[number], LEVEL_COLOURS[number % len(LEVEL_COLOURS)])

    def _lay_canvases(self) -> None:
        wanted = max(0, min(len(self._masks), 4) - 1) if self._mode == SIDE_BY_SIDE else 0
        while len(self._others) > wanted:
            gone = self._others.pop()
            self._canvases.removeWidget(gone)
            gone.deleteLater()
        while len(self._others) < wanted:
            other = ImageCanvas()
            self._others.append(other)
            self._canvases.addWidget(other, 1)

    def _on_mode(self, _index: int) -> None:
        self._mode = str(self._modes.currentData())
        self._open(self._place)

    def _on_view_changed(self, view: ImageView | None) -> None:
        if view is None or self._is_linking:
            return
        self._is_linking = True
        for other in self._others:
            if other.view is not None and other.view.image_size == view.image_size:
                other.set_view(view)
        self._is_linking = False

    def _go(self, step: int) -> None:
        if self._cases:
            self._list.setCurrentRow((self._place + step) % len(self._cases))

    def _case(self) -> ReviewCase | None:
        return self._cases[self._place] if 0 <= self._place < len(self._cases) else None

    def _candidate(self) -> Candidate | None:
        case = self._case()
        return case.candidates[self._chosen] if case is not None and case.candidates else None
