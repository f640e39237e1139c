"""The F1 overlay: all keys, made from the action registry, those of the screen in front first."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from app.action_table import CONTEXTS, VIEW
from app.actions import EVERYWHERE, Action, ActionRegistry
from app.texts import tr
from app.theme import COLOURS
from app.widgets.plain import card, label

THREE_COLUMNS_FROM_PX = 1200
_ALSO_HERE = dict.fromkeys(("annotate", "correct", "labels", "review", "predict"), (VIEW,))
"""Pages with an image have its keys as well."""
_SCROLLS = {Qt.Key.Key_Down: 1, Qt.Key.Key_PageDown: 2, Qt.Key.Key_Up: -1, Qt.Key.Key_PageUp: -2}
"""Keys that scroll, in halves of what is seen."""


class KeyOverlay(QWidget):
    """Covers its window with the list of keys; a key or a click closes it."""

    def __init__(self, actions: ActionRegistry, window: QWidget) -> None:
        super().__init__(window)
        self._actions = actions
        self._window = window
        self._scroll: QScrollArea | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(40, 32, 40, 32)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        window.installEventFilter(self)
        self.hide()

    def open_for(self, context: str) -> None:
        """Show the keys with those of one screen first."""
        if self._scroll is not None:
            self._column.removeWidget(self._scroll)
            self._scroll.deleteLater()
        self._scroll = self._list(context)
        self._column.addWidget(self._scroll)
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def shown_actions(self) -> list[str]:
        """The actions in the list, for the test that compares it with the registry."""
        return [made.objectName() for made in self.findChildren(QLabel) if made.objectName()]

    def _list(self, context: str) -> QScrollArea:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(14)
        column.addWidget(label(tr("Keys"), "title"))
        words = tr("They can be changed under Settings. Arrows scroll, any other key closes this list.")
        column.addWidget(label(words, "muted"))
        here = [name for name in (context, *_ALSO_HERE.get(context, ()), EVERYWHERE) if name in CONTEXTS]
        column.addLayout(self._columns(list(dict.fromkeys(here))))
        elsewhere = [name for name in CONTEXTS if name not in here]
        column.addWidget(label(tr("On other pages"), "heading"))
        # The longest lists first, so that the columns end at about the same height.
        column.addLayout(self._columns(sorted(elsewhere, key=lambda name: -len(self._members(name)))))
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(inside)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.viewport().setAutoFillBackground(False)
        return scroll

    def _members(self, context: str) -> list[Action]:
        return [action for action in self._actions.all() if action.context == context]

    def _columns(self, contexts: list[str]) -> QHBoxLayout:
        """The lists of keys of some contexts, in their order, each in the column that is shortest so far."""
        columns = QHBoxLayout()
        columns.setSpacing(14)
        n_columns = 3 if self._window.width() >= THREE_COLUMNS_FROM_PX else 2
        stacks = [QVBoxLayout() for _ in range(n_columns)]
        heights = [0] * n_columns
        for context in contexts:
            members = self._members(context)
            if members:
                shortest = heights.index(min(heights))
                stacks[shortest].addWidget(self._group(CONTEXTS[context], members))
                heights[shortest] += len(members) + 2
        for stack in stacks:
            stack.setSpacing(14)
            stack.addStretch(1)
            columns.addLayout(stack, 1)
        return columns

    def _group(self, title: str, members: list[Action]) -> QWidget:
        frame, column = card(margin=14, spacing=6)
        column.addWidget(label(tr(title), "heading"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(4)
        for line_number, action in enumerate(members):
            words = label(tr(action.text), wraps=True)
            words.setObjectName(action.action_id)
            key = label(self._actions.shown_keys(action.action_id) or "–")
            key.setStyleSheet(f"color: {COLOURS.accent};")
            grid.addWidget(words, line_number, 0)
            grid.addWidget(key, line_number, 1, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(0, 1)
        column.addLayout(grid)
        return frame

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(COLOURS.ground))
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _SCROLLS.get(Qt.Key(event.key()))
        scroll = self.findChild(QScrollArea)
        if step is None or scroll is None:
            self._close()
        else:
            bar = scroll.verticalScrollBar()
            bar.setValue(bar.value() + step * bar.pageStep() // 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.setGeometry(self._window.rect())
        return super().eventFilter(watched, event)

    def _close(self) -> None:
        self.hide()
        self._window.setFocus()
