"""Every text that a screen shows can be translated: no literal reaches a widget without passing through `tr`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Which arguments of these calls a person reads; None stands for all.
SHOWN: dict[str, tuple[int, ...] | None] = {
    "label": (0,),
    "button": (0,),
    "field_label": (0,),
    "page": (1, 2),
    "EmptyState": (1, 2),
    "Card": None,
    "say": (0,),
    "QLabel": (0,),
    "QPushButton": (0,),
    "QCheckBox": (0,),
    "QRadioButton": (0,),
    "QGroupBox": (0,),
    "addItem": (0,),
    "addTab": (1,),
    "addRow": (0,),
    "setText": (0,),
    "setTitle": (0,),
    "setWindowTitle": (0,),
    "setToolTip": (0,),
    "setAccessibleName": (0,),
    "setAccessibleDescription": (0,),
    "setPlaceholderText": (0,),
    "setPrefix": (0,),
    "setSuffix": (0,),
    "setHorizontalHeaderLabels": (0,),
    "setHeaderLabels": (0,),
    "information": (1, 2),
    "question": (1, 2),
    "warning": (1, 2),
}
SHOWN_KEYWORDS = {"tooltip", "words", "heading", "keys", "title", "subtitle", "placeholder"}

EXCEPTIONS = {"Dice", "GB", "Hz"}
"""Texts that are the same in every language: units and proper names."""


def names_called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        owner = call.func.value
        # Messages of a log are for whoever looks after the program, and stay English.
        is_log = isinstance(owner, ast.Name) and owner.id in ("_log", "log", "logging")
        return "" if is_log else call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def bare_texts(node: ast.AST) -> Iterator[ast.AST]:
    """Literals with letters inside an expression that is shown, other than those handed to a function."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if sum(letter.isalpha() for letter in node.value) >= 2:
            yield node
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.Constant):
                yield from bare_texts(part)
    elif isinstance(node, ast.BinOp):
        yield from bare_texts(node.left)
        yield from bare_texts(node.right)
    elif isinstance(node, ast.IfExp):
        yield from bare_texts(node.body)
        yield from bare_texts(node.orelse)
    elif isinstance(node, (ast.List, ast.Tuple)):
        for item in node.elts:
            yield from bare_texts(item)


def untranslated(source: str, path: str) -> list[str]:
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        places = SHOWN.get(names_called(call), ())
        shown = [arg for n, arg in enumerate(call.args) if places is None or n in places]
        if names_called(call) in SHOWN:
            shown += [word.value for word in call.keywords if word.arg in SHOWN_KEYWORDS]
        for text in (text for argument in shown for text in bare_texts(argument)):
            value = text.value if isinstance(text, ast.Constant) else ""
            if str(value).strip() not in EXCEPTIONS:
                found.append(f"{path}:{call.lineno}: {value!r}")
    return found


def test_that_no_text_of_a_screen_is_shown_without_tr():
    found = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        found += untranslated(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    assert not found, "\n".join(found)


def test_that_the_search_for_bare_texts_finds_what_it_should():
    bad = [
        'label("Hello")',
        'self.box.setText(f"Hello {name}")',
        'button("Go" if a else tr("Stop"), act)',
        'Card(tr("Rest"), "Look away")',
        'page(self, "Worklist")',
        'button("", act, tooltip="Go on")',
        'table.setHorizontalHeaderLabels(["Name", tr("Size")])',
    ]
    good = [
        'label(tr("Hello"))',
        'self.box.setText(tr("Hello {name}").format(name=name))',
        'label("", "heading")',
        'self.box.setText(f"{name} · {n}")',
        '_log.warning("%s is gone", "the tracker")',
    ]
    assert all(untranslated(source, "app/x.py") for source in bad)
    assert not any(untranslated(source, "app/x.py") for source in good)
