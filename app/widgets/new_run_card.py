"""The card that a training is started, paused and stopped from, and that says how far it is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QLineEdit, QVBoxLayout

from app.texts import tr
from app.theme import COLOURS, icon
from app.widgets.plain import button, label, row, set_state
from app.widgets.run_progress import RunProgress
from training.prediction_of_cost import Reason

PRESETS = {
    "tiny": "Quick try: minutes, on any computer",
    "best": "Best result: for a GPU",
    "reference": "Reference: the published method",
}
REASONS: dict[Reason, str] = {
    "no_gpu": "Suggested here: the quick try, since there is no GPU. The best result takes hours to days without one.",
    "few_images": "Suggested here: the quick try, since the best result needs labels of 20 images or more.",
    "gpu": "Suggested here: the best result, since there is a GPU and enough labelled images.",
}


class NewRunCard(QFrame):
    """Asks what to train and shows how it goes; the page decides.

    wants_start, wants_pause, wants_stop: the buttons. preset_changed, labels_changed: by the user or by a suggestion.
    """

    wants_start = Signal()
    wants_pause = Signal()
    wants_stop = Signal()
    preset_changed = Signal()
    labels_changed = Signal()

    def __init__(self, width: int) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setFixedWidth(width)
        self.is_preset_chosen = False
        """Whether the user chose one: then no suggestion changes it."""
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(8)
        column.addWidget(label(tr("New run"), "heading"))
        self._data = label("", "muted", wraps=True)
        column.addWidget(self._data)
        self._preset = QComboBox()
        for name, words in PRESETS.items():
            self._preset.addItem(tr(words), name)
        self._preset.setAccessibleName(tr("Kind of training"))
        self._preset.currentIndexChanged.connect(lambda _index: self.preset_changed.emit())
        self._preset.activated.connect(self._on_preset_chosen)
        column.addWidget(self._preset)
        self._reason = label("", "small", wraps=True)
        self._reason.hide()
        column.addWidget(self._reason)
        self._cost = label("", "muted", wraps=True)
        self._cost.hide()
        column.addWidget(self._cost)
        self.chooses_labels = QCheckBox(tr("Let the reviewed masks choose the label source"))
        self.chooses_labels.setChecked(True)
        self.chooses_labels.setToolTip(
            tr("Compares all sources on training images that have a mask; another one must be clearly better.")
        )
        self.chooses_labels.toggled.connect(lambda _on: self.labels_changed.emit())
        column.addWidget(self.chooses_labels)
        self.start_button = button(tr("Train"), self.wants_start.emit, role="primary", icon_name="play")
        self._pause_button = button(tr("Pause"), self.wants_pause.emit, icon_name="pause")
        self._stop_button = button(tr("Stop"), self.wants_stop.emit, icon_name="stop")
        column.addLayout(row(self.start_button, self._pause_button, self._stop_button, None))
        self._why_not = label("", "small", wraps=True)
        set_state(self._why_not, "warn")
        self._why_not.hide()
        column.addWidget(self._why_not)
        self._state = label(tr("Nothing is being trained."), "", wraps=True)
        column.addWidget(self._state)
        self.progress = RunProgress()
        column.addWidget(self.progress)
        self._note = label("", "small", wraps=True)
        self._note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._note.hide()
        column.addWidget(self._note)
        self.command_line = QLineEdit()
        self.command_line.setReadOnly(True)
        self.command_line.setAccessibleName(tr("The same from the command line"))
        column.addLayout(row(label(tr("Command line"), "small"), self.command_line))

    @property
    def preset_name(self) -> str:
        """The preset that is chosen now."""
        return str(self._preset.currentData())

    @property
    def cost_words(self) -> str:
        """What the run is predicted to take."""
        return self._cost.text()

    def say(self, words: str, state: str = "") -> None:
        """How it stands."""
        self._state.setText(words)
        set_state(self._state, state)

    def remark(self, words: str, *, is_more: bool = False) -> None:
        """What is noted below; is_more: beside what is noted already."""
        self._note.setText("\n".join(filter(None, (self._note.text(), words))) if is_more else words)
        self._note.setVisible(bool(self._note.text()))

    def show_data(self, words: str) -> None:
        """What there is to learn from."""
        self._data.setText(words)

    def show_cost(self, words: str) -> None:
        """What the run will take."""
        self._cost.setText(words)
        self._cost.setVisible(bool(words))

    def suggest(self, name: str, why: Reason) -> None:
        """What suits this study and this machine; the preset follows until the user chooses one."""
        self._reason.setText(tr(REASONS[why]))
        self._reason.setVisible(self.start_button.isEnabled())
        if not self.is_preset_chosen:
            self._preset.setCurrentIndex(self._preset.findData(name))

    def show_command(self, words: str) -> None:
        """The line that does the same."""
        self.command_line.setText(words)
        self.command_line.setCursorPosition(0)
        self.command_line.setToolTip(words)

    def allow(
        self,
        *,
        is_running: bool,
        is_busy: bool,
        is_paused: bool,
        is_stopping: bool,
        is_preparing: bool = False,
        why_not: str = "",
    ) -> None:
        """Which buttons do something now; `why_not` says why nothing can be trained."""
        is_free = not is_running and not is_busy
        self.start_button.setEnabled(is_free and not why_not)
        self._why_not.setText(why_not)
        self._why_not.setVisible(is_free and bool(why_not))
        self._preset.setEnabled(is_free)
        self.chooses_labels.setEnabled(is_free)
        self._pause_button.setEnabled(is_running and not is_stopping)
        self._pause_button.setText(tr("Go on") if is_paused else tr("Pause"))
        self._pause_button.setIcon(icon("play" if is_paused else "pause", COLOURS.text))
        self._stop_button.setEnabled((is_running or is_preparing) and not is_stopping)
        # Room for what the run says, on small screens: what it began with is decided.
        self.chooses_labels.setVisible(is_free)
        self._reason.setVisible(is_free and bool(self._reason.text()))

    def _on_preset_chosen(self, _index: int) -> None:
        self.is_preset_chosen = True
