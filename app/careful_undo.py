"""Undo across images without surprise: what would change something unseen, or a decision, is shown and named first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.texts import tr
from workflows.edit_history import Decision, Edit, Place

_DECISIONS: Mapping[str, str] = {
    "done": "the acceptance",
    "flagged": "the flag",
    "skipped": "the skip",
    "in progress": "the reopening",
}


class CarefulUndo:
    """Remembers which step was named; only that one is then turned, and only while its image is shown."""

    def __init__(self) -> None:
        self._named: Edit | None = None

    def must_name(self, edit: Edit, shown: Place | None, *, is_undo: bool) -> bool:
        """Whether this step is to be shown and named now instead of being turned; asked again it may be turned."""
        weighs = is_undo and (isinstance(edit, Decision) or edit.tool == "gaze")
        if edit.place != shown or (weighs and self._named is not edit):
            self._named = edit
            return True
        self._named = None
        return False

    def forget(self) -> None:
        """Something else happened: what was named is named again."""
        self._named = None


def words_of(edit: Edit, name_of: Callable[[str], str]) -> str:
    """What a step did, and to which image."""
    if isinstance(edit, Decision):
        what = tr(_DECISIONS.get(str(edit.after["status"]), str(edit.after["status"])))
    else:
        what = tr("the gaze mask") if edit.tool == "gaze" else tr(edit.tool)
    return tr("{what} of {name}").format(what=what, name=name_of(edit.place[0]))
