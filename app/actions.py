"""One registry of actions: menus, tooltips, the F1 overlay, the keys editor and the docs are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.texts import tr
from domain.errors import UserFacingError

EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class Action:
    """Something the user can do. `context` is the screen it belongs to; `is_held` acts while its key is down.

    may_repeat: a key that is held does it again and again: scrolling, stepping, sizing; never anything that decides.
    """

    action_id: str
    text: str
    keys: tuple[str, ...]
    context: str = EVERYWHERE
    icon: str = ""
    is_held: bool = False
    may_repeat: bool = False


@dataclass(frozen=True)
class Conflict:
    """Two actions that want the same key in the same place."""

    key: str
    first: Action
    second: Action


class ActionRegistry(QObject):
    """All actions of the program with the keys that this user gave them."""

    keys_changed = Signal()

    def __init__(self, actions: Iterable[Action], own_keys: dict[str, list[str]] | None = None) -> None:
        super().__init__()
        self._actions: dict[str, Action] = {}
        for action in actions:
            if action.action_id in self._actions:
                raise ValueError(f"action {action.action_id!r} is registered twice")
            self._actions[action.action_id] = action
        self._own_keys = {name: tuple(keys) for name, keys in (own_keys or {}).items() if name in self._actions}
        self._bound: list[tuple[QAction, Action]] = []
        self._buttons: list[tuple[QAbstractButton, Action]] = []

    def all(self) -> list[Action]:
        """Every action, in the order of the table."""
        return list(self._actions.values())

    def get(self, action_id: str) -> Action:
        """The action of that name."""
        return self._actions[action_id]

    def keys(self, action_id: str) -> tuple[str, ...]:
        """The keys that trigger the action now."""
        return self._own_keys.get(action_id, self._actions[action_id].keys)

    def own_keys(self) -> dict[str, list[str]]:
        """What the user changed, for the settings file."""
        return {name: list(keys) for name, keys in self._own_keys.items()}

    def set_keys(self, action_id: str, keys: tuple[str, ...]) -> None:
        """Give an action other keys; refused where another action has one of them in the same place.

        Raises:
            UserFacingError: a key is taken.
        """
        action = self._actions[action_id]
        for key in keys:
            taken = self.taken_by(key, action)
            if taken is not None:
                raise UserFacingError(
                    tr("{key} already means “{text}”.").format(key=key, text=tr(taken.text)),
                    tr("Choose another key, or change that one first."),
                )
        if keys == action.keys:
            self._own_keys.pop(action_id, None)
        else:
            self._own_keys[action_id] = keys
        self._renew()

    def reset_keys(self) -> None:
        """Back to the keys that Sightline comes with."""
        self._own_keys.clear()
        self._renew()

    def taken_by(self, key: str, action: Action) -> Action | None:
        """The other action that has this key where `action` lives, if any."""
        wanted = QKeySequence(key)
        for other in self._actions.values():
            meets = EVERYWHERE in (other.context, action.context) or other.context == action.context
            if other is not action and meets and any(QKeySequence(k) == wanted for k in self.keys(other.action_id)):
                return other
        return None

    def conflicts(self) -> list[Conflict]:
        """Keys that two actions share in one place."""
        found: dict[tuple[str, frozenset[str]], Conflict] = {}
        for action in self._actions.values():
            for key in self.keys(action.action_id):
                other = self.taken_by(key, action)
                if other is not None:
                    pair = frozenset((action.action_id, other.action_id))
                    found.setdefault((key, pair), Conflict(key, action, other))
        return list(found.values())

    def bind(
        self, owner: QWidget, action_id: str, slot: Callable[[], object], *, whole_window: bool = False
    ) -> QAction:
        """Make the action work inside `owner` (or its whole window) by its keys; it ends with its owner."""
        action = self._actions[action_id]
        bound = QAction(tr(action.text), owner)
        bound.setObjectName(action_id)
        scope = Qt.ShortcutContext.WindowShortcut if whole_window else Qt.ShortcutContext.WidgetWithChildrenShortcut
        bound.setShortcutContext(scope)
        bound.setAutoRepeat(action.may_repeat)
        bound.triggered.connect(lambda _checked=False: slot())
        owner.addAction(bound)
        entry = (bound, action)
        self._bound.append(entry)
        bound.destroyed.connect(lambda *_: self._bound.remove(entry) if entry in self._bound else None)
        self._apply(bound, action)
        return bound

    def decorate(self, button: QAbstractButton, action_id: str) -> None:
        """Give a button the action's words and, in its tooltip, its key."""
        action = self._actions[action_id]
        entry = (button, action)
        self._buttons.append(entry)
        button.destroyed.connect(lambda *_: self._buttons.remove(entry) if entry in self._buttons else None)
        button.setToolTip(self.tooltip(action_id))
        button.setAccessibleName(tr(action.text))

    def decorate_tooltip(self, widget: QWidget, action_id: str) -> None:
        """Give a widget that is no button the action's words and key as tooltip."""
        widget.setToolTip(self.tooltip(action_id))

    def tooltip(self, action_id: str) -> str:
        """What the action does and its key."""
        keys = self.shown_keys(action_id)
        text = tr(self._actions[action_id].text)
        return f"{text}  ({keys})" if keys else text

    def shown_keys(self, action_id: str) -> str:
        """The keys as they are written on this system's keyboards."""
        shown = [QKeySequence(k).toString(QKeySequence.SequenceFormat.NativeText) for k in self.keys(action_id)]
        joined = f" {tr('or')} ".join(shown)
        return tr("hold {key}").format(key=joined) if self._actions[action_id].is_held and joined else joined

    def matches(self, action_id: str, event: QKeyEvent) -> bool:
        """Whether a key event is the key of a held action (held actions are not shortcuts)."""
        pressed = QKeySequence(event.keyCombination())
        bare = QKeySequence(event.key())
        return any(QKeySequence(k) in (pressed, bare) for k in self.keys(action_id))

    def bound_ids(self, owner: QWidget) -> list[str]:
        """Actions that are bound inside a widget and its children."""
        return [action.objectName() for action in owner.findChildren(QAction) if action.objectName() in self._actions]

    def _apply(self, bound: QAction, action: Action) -> None:
        if not action.is_held:
            bound.setShortcuts([QKeySequence(key) for key in self.keys(action.action_id)])
        bound.setToolTip(self.tooltip(action.action_id))

    def _renew(self) -> None:
        for bound, action in self._bound:
            self._apply(bound, action)
        for button, action in self._buttons:
            button.setToolTip(self.tooltip(action.action_id))
        self.keys_changed.emit()
