"""The words on screen: everything shown goes through `tr`, so that one JSON file per language can replace it."""

from __future__ import annotations

import json
import logging
from importlib import resources

from PySide6.QtCore import QCoreApplication, QObject, QTranslator

_log = logging.getLogger(__name__)
_CONTEXT = "sightline"


def tr(text: str) -> str:
    """The text in the language of the user; the English text itself where there is no translation."""
    return QCoreApplication.translate(_CONTEXT, text)


def counted(n: int, one: str, many: str) -> str:
    """The text for this number, both already translated: `one` for 1, else `many`, with {n} filled in."""
    return one if n == 1 else many.format(n=n)


class JsonTranslator(QTranslator):
    """A translator that reads English-to-other pairs from `resources/texts/<language>.json`."""

    def __init__(self, pairs: dict[str, str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pairs = pairs

    def isEmpty(self) -> bool:
        return not self._pairs

    def translate(self, context: str, source_text: str, disambiguation: str | None = None, n: int = -1) -> str | None:
        if context != _CONTEXT:
            return None
        return self._pairs.get(source_text)


def languages() -> list[str]:
    """Languages there are texts for, English first."""
    folder = resources.files("resources") / "texts"
    found = [entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json")]
    return ["en", *sorted(name for name in found if name != "en")]


def install_language(app: QCoreApplication, language: str) -> JsonTranslator | None:
    """Make `tr` speak that language from now on; screens built earlier keep their words until they are rebuilt."""
    if language == "en":
        return None
    source = resources.files("resources") / "texts" / f"{language}.json"
    if not source.is_file():
        _log.warning("no texts for language %s", language)
        return None
    translator = JsonTranslator(json.loads(source.read_text(encoding="utf-8")), app)
    app.installTranslator(translator)
    return translator
