"""What can be done with a result, in one line below the image, and a remark about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from app.actions import ActionRegistry
from app.texts import tr
from app.widgets.plain import TwoLineLabel, button

BAR_HEIGHT = 56
WORDS_FROM_PX = 1300


class ResultBar(QFrame):
    """Buttons for the mouse; every one has its key. slots: what each action does, by its id."""

    def __init__(self, actions: ActionRegistry, slots: Mapping[str, Callable[[], object]]) -> None:
        super().__init__()
        self.setFixedHeight(BAR_HEIGHT)
        self.remark = TwoLineLabel("muted")
        self._buttons = QWidget()
        self._texts: list[tuple[QPushButton, str]] = []
        line = QHBoxLayout(self._buttons)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        for action_id, text in (
            ("annotate.undo", tr("Undo")),
            ("annotate.again", tr("Look again")),
            ("annotate.no_target", tr("No target")),
            ("annotate.skip", tr("Skip")),
            ("annotate.flag", tr("Flag")),
            ("annotate.correct", tr("Correct")),
        ):
            made = button(text, slots[action_id], role="quiet", icon_name=actions.get(action_id).icon)
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            actions.decorate(made, action_id)
            line.addWidget(made)
            self._texts.append((made, text))
        self._accept = button("", slots["annotate.go_on"], role="primary", icon_name="check")
        self._accept.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        actions.decorate(self._accept, "annotate.go_on")
        line.addWidget(self._accept)
        self.offer(counts=True)
        bar = QHBoxLayout(self)
        bar.setContentsMargins(24, 0, 24, 0)
        bar.setSpacing(16)
        bar.addWidget(self.remark, 1)
        bar.addWidget(self._buttons)

    def resizeEvent(self, event: QResizeEvent) -> None:
        is_narrow = event.size().width() < WORDS_FROM_PX
        for made, text in self._texts:  # their signs and tooltips stay; the remark needs the room
            made.setText("" if is_narrow else text)
        super().resizeEvent(event)

    def offer(self, *, counts: bool) -> None:
        """Accepting, or looking again where the look does not count."""
        self._accept.setText(tr("Accept, next") if counts else tr("Look again"))

    def show_for(self, *, is_result: bool, is_looking: bool) -> None:
        """Buttons stand below a result only."""
        self._buttons.setVisible(is_result)
        self.remark.setVisible(is_result or is_looking)
