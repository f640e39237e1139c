"""The versions of the chosen mask, one at a time: who made it and when, how it differs from the newest, restoring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.actions import ActionRegistry
from app.texts import tr
from app.widgets.plain import button, label, row
from workflows.mask_history import PastMask

ORIGINS = {
    "gaze": "gaze",
    "correction": "corrected by hand",
    "import": "imported",
    "model": "drawn by a model",
    "review": "edited in review",
    "consensus": "consensus",
}


class VersionPager(QWidget):
    """Hidden where there is one version only. `older_asked` and `newer_asked` page, `restore_asked` brings one back."""

    older_asked = Signal()
    newer_asked = Signal()
    restore_asked = Signal()

    def __init__(self, actions: ActionRegistry) -> None:
        super().__init__()
        self._words = label("", "small", wraps=True)
        self._older = button("", self.older_asked.emit, role="quiet", icon_name="left")
        self._newer = button("", self.newer_asked.emit, role="quiet", icon_name="right")
        self._title = label("", "muted")
        self._restore = button(tr("Restore this version"), self.restore_asked.emit, icon_name="repeat")
        for made, action_id in (
            (self._older, "review.older"),
            (self._newer, "review.newer"),
            (self._restore, "review.restore"),
        ):
            actions.decorate(made, action_id)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row(self._title, None, self._older, self._newer, spacing=2))
        column.addWidget(self._words)
        column.addWidget(self._restore)
        self.show_versions(0)

    def show_versions(self, n_versions: int) -> None:
        """How many there are; the newest is the one that is shown."""
        self.setVisible(n_versions > 1)
        self._title.setText(tr("Version {n} of {total}, newest").format(n=n_versions, total=n_versions))
        self._words.hide()
        self._restore.hide()
        self._older.setEnabled(True)
        self._newer.setEnabled(False)

    def show_past(self, past: Sequence[PastMask], place: int, *, hides_names: bool) -> None:
        """An older version is on the image; names are hidden in blind review."""
        shown = past[place]
        version = shown.version
        self._title.setText(tr("Version {n} of {total}").format(n=version.version, total=len(past)))
        who = tr("a reviewer") if shown.is_edited_in_review else tr("the annotator")
        words = tr("{origin}, {when}, by {who}. Dice with the newest {dice:.3f}. Orange: only here. Blue: only now.")
        self._words.setText(
            words.format(
                origin=tr(ORIGINS.get(version.origin, version.origin)).capitalize(),
                when=_when(version.saved_at),
                who=who if hides_names else version.author,
                dice=shown.dice_with_newest,
            )
        )
        self._words.show()
        self._restore.show()
        self._older.setEnabled(place > 0)
        self._newer.setEnabled(True)

    @property
    def words(self) -> str:
        """What is said of the version that is shown."""
        return f"{self._title.text()}\n{self._words.text()}" if self._words.isVisibleTo(self) else self._title.text()


def _when(saved_at: str) -> str:
    try:
        return datetime.fromisoformat(saved_at.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return saved_at
