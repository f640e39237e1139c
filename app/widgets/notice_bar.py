"""Quiet lines above the screens: something to know, and perhaps one thing to do about it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.texts import tr
from app.widgets.plain import ElidedLabel, button


class NoticeBar(QWidget):
    """One line for each notice, told apart by a key; takes no room without one."""

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._lines: dict[str, QFrame] = {}
        self._put_away: dict[str, str] = {}
        self.hide()

    @property
    def words(self) -> dict[str, str]:
        """What is told now, by key."""
        return {key: str(line.property("words")) for key, line in self._lines.items()}

    def tell(
        self,
        key: str,
        words: str,
        *,
        action: str = "",
        on_action: Callable[[], object] | None = None,
        on_dismissed: Callable[[], object] | None = None,
    ) -> None:
        """Show a line, in place of the one with the same key; not again what the user put away."""
        if words in (self.words.get(key), self._put_away.get(key)):
            return
        self.take_back(key)
        frame = QFrame()
        frame.setProperty("role", "bar")
        frame.setProperty("words", words)
        line = QHBoxLayout(frame)
        line.setContentsMargins(20, 4, 12, 4)
        line.setSpacing(14)
        told = ElidedLabel("small")
        told.say(words)
        line.addWidget(told, 1)

        def act(what: Callable[[], object] | None) -> None:
            self.take_back(key)
            self._put_away[key] = words
            if what is not None:
                what()

        if on_action is not None:
            line.addWidget(button(action, lambda: act(on_action)))
        line.addWidget(
            button("", lambda: act(on_dismissed), role="quiet", icon_name="close", tooltip=tr("Do not show this line"))
        )
        self._lines[key] = frame
        self._column.addWidget(frame)
        self.show()

    def take_back(self, key: str) -> None:
        """Show it no longer; told again, it is shown again."""
        self._put_away.pop(key, None)
        frame = self._lines.pop(key, None)
        if frame is not None:
            self._column.removeWidget(frame)
            frame.hide()
            frame.deleteLater()
        self.setVisible(bool(self._lines))

    def button_of(self, key: str) -> QPushButton | None:
        """What can be done about it."""
        frame = self._lines.get(key)
        return frame.findChild(QPushButton) if frame is not None else None
