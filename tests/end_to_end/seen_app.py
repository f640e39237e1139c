"""The application with a reader beside it: says where on the screen a word or field is, as a person's eyes would.

It changes nothing and presses nothing. Questions come on stdin, one JSON object a line, answers go to stdout:
{"find": words} or {"field": words} -> a list of {text, kind, x, y, width, height, enabled, value}; {"grab": path};
{"read": true} -> everything that can be read now.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QWidget,
)

from app.entry import application, run


def words_of(widget: QWidget) -> list[str]:
    """What stands on a widget, and its accessible name."""
    found = [widget.accessibleName()]
    if isinstance(widget, (QAbstractButton, QLabel)):
        found.append(widget.text().replace("&", ""))
    if isinstance(widget, QLineEdit):
        found += [widget.placeholderText(), widget.text()]
    if isinstance(widget, QComboBox):
        found.append(widget.currentText())
    if isinstance(widget, QListWidget):
        found += [widget.item(place).text() for place in range(widget.count())]
    return [one for one in found if one]


def is_seen(widget: QWidget) -> bool:
    """Whether any of it is on the screen."""
    return widget.isVisible() and not widget.visibleRegion().isEmpty()


def place_of(widget: QWidget) -> dict[str, Any]:
    """Where it is, in pixels of the screen."""
    area = widget.visibleRegion().boundingRect()
    at = widget.mapToGlobal(area.topLeft() + QPoint(0, 0))
    ratio = widget.devicePixelRatioF()
    return {
        "text": " | ".join(words_of(widget)),
        "kind": type(widget).__name__,
        "x": round(at.x() * ratio),
        "y": round(at.y() * ratio),
        "width": round(area.width() * ratio),
        "height": round(area.height() * ratio),
        "enabled": widget.isEnabled(),
        "checked": bool(isinstance(widget, QAbstractButton) and widget.isChecked()),
        "focus": widget.hasFocus(),
    }


def beside(words: str) -> list[QWidget]:
    """The fields that a label with these words stands before, in a form or a grid."""
    found: list[QWidget] = []
    for label in seen(QLabel):
        if label.text().replace("&", "") != words or label.parentWidget() is None:
            continue
        for layout in label.parentWidget().findChildren(QFormLayout):
            for place in range(layout.rowCount()):
                first = layout.itemAt(place, QFormLayout.ItemRole.LabelRole)
                second = layout.itemAt(place, QFormLayout.ItemRole.FieldRole)
                if first is not None and first.widget() is label and second is not None:
                    found += fields_in(second)
        for layout in label.parentWidget().findChildren(QGridLayout):
            index = layout.indexOf(label)
            if index >= 0:
                place = layout.getItemPosition(index)
                item = layout.itemAtPosition(place[0], place[1] + 1)
                if item is not None:
                    found += fields_in(item)
    return found


def fields_in(item: Any) -> list[QWidget]:
    """The fields of one item of a layout: itself, or those within."""
    kinds = (QLineEdit, QComboBox, QAbstractSpinBox)
    if item.widget() is not None:
        widget = item.widget()
        return (
            [widget] if isinstance(widget, kinds) else [w for w in widget.findChildren(QWidget) if isinstance(w, kinds)]
        )
    inside = item.layout()
    places = range(inside.count()) if inside is not None else ()
    return [field for place in places for field in fields_in(inside.itemAt(place))]


def seen(kind: type[Any] = QWidget) -> list[Any]:
    """All widgets of a kind that are on the screen; those of the newest window first."""
    return [widget for widget in QApplication.allWidgets() if isinstance(widget, kind) and is_seen(widget)]


class Reader(QObject):
    """Takes questions from stdin to the thread of the windows."""

    asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.asked.connect(self.answer)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        for line in sys.stdin:
            self.asked.emit(line)

    def answer(self, line: str) -> None:
        question = json.loads(line)
        reply: Any = None
        if "find" in question:
            wanted = question["find"].lower()
            exact = [w for w in seen() if any(wanted == word.lower() for word in words_of(w))]
            loose = [w for w in seen() if any(wanted in word.lower() for word in words_of(w))]
            reply = [place_of(widget) for widget in exact or loose]
        elif "field" in question:
            reply = [place_of(widget) for widget in beside(question["field"]) if is_seen(widget)]
        elif "grab" in question:
            reply = QGuiApplication.primaryScreen().grabWindow(0).save(question["grab"])
        elif "read" in question:
            reply = [text for widget in seen() for text in words_of(widget)]
        sys.stdout.write("ANSWER " + json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    application()
    reader = Reader()
    sys.exit(run(sys.argv[1:]))
