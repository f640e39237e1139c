"""What the study looks for: names, colours and descriptions of its targets."""

from __future__ import annotations

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QGridLayout, QLineEdit, QToolButton, QWidget

from app.context import Services
from app.texts import counted, tr
from app.theme import icon
from app.widgets.plain import Card, button, label, row, set_state
from domain.errors import UserFacingError
from domain.study import Target
from workflows.targets import COLOURS, WantedTarget, change_targets, used


class _Line:
    """The widgets of one target."""

    def __init__(self, target: Target | None, colour: str) -> None:
        self.before = target.name if target is not None else ""
        self.colour = target.colour if target is not None else colour
        self.name = QLineEdit(self.before)
        self.name.setPlaceholderText(tr("Name"))
        self.name.setAccessibleName(tr("Name of the target"))
        self.description = QLineEdit(target.description if target is not None else "")
        self.description.setPlaceholderText(tr("What counts as this target"))
        self.description.setAccessibleName(tr("Description of the target"))
        self.swatch = QToolButton()
        self.swatch.setFixedSize(34, 34)
        self.swatch.setAccessibleName(tr("Colour of the target"))
        self.swatch.setToolTip(tr("Choose its colour"))
        self.remove = QToolButton()
        self.remove.setIcon(icon("close"))
        self.remove.setAccessibleName(tr("Remove the target"))
        self.remove.setToolTip(tr("Remove the target"))
        self.show_colour(self.colour)

    def show_colour(self, colour: str) -> None:
        self.colour = colour
        self.swatch.setStyleSheet(f"QToolButton {{ background: {colour}; border-radius: 6px; }}")

    def widgets(self) -> tuple[QWidget, ...]:
        return (self.swatch, self.name, self.description, self.remove)


class TargetsCard(Card):
    """A line for each target; nothing is changed before Save."""

    def __init__(self, services: Services) -> None:
        super().__init__(tr("Targets"))
        self.services, column = services, self.column
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 2)
        self._grid.setColumnStretch(2, 3)
        column.addLayout(self._grid)
        self._said = label("", "small", wraps=True)
        save = button(tr("Save targets"), self.save, role="primary", icon_name="check")
        column.addLayout(row(save, button(tr("Add a target"), self.add, icon_name="plus"), None))
        column.addWidget(self._said)
        self._said.hide()
        self.lines: list[_Line] = []

    def show_targets(self) -> None:
        """Read the targets from the study."""
        for line in self.lines:
            self._take_out(line)
        self.lines = []
        counts = used(self.services.open_study)
        for target in self.services.open_study.settings.targets:
            line = self._put(_Line(target, target.colour))
            if target.name in counts:
                n_trials, n_masks = counts[target.name]
                words = tr("{trials} and {masks}: its name stays").format(
                    trials=counted(n_trials, tr("1 trial"), tr("{n} trials")),
                    masks=counted(n_masks, tr("1 mask"), tr("{n} masks")),
                )
                line.name.setReadOnly(True)
                line.name.setToolTip(words)
                line.remove.setEnabled(False)
                line.remove.setToolTip(words)

    def add(self) -> None:
        """One more line, to be filled in."""
        line = self._put(_Line(None, COLOURS[len(self.lines) % len(COLOURS)]))
        line.name.setFocus()

    def save(self) -> None:
        """Store the list, or say what is wrong with it; then nothing is changed."""
        wanted = [
            WantedTarget(line.before, line.name.text(), line.colour, line.description.text()) for line in self.lines
        ]
        try:
            change_targets(self.services.open_study, wanted)
        except UserFacingError as refusal:
            set_state(self._said, "bad")
            self._said.show()
            self._said.setText(str(refusal))
            return
        set_state(self._said, "good")
        self._said.show()
        self._said.setText(tr("Saved."))
        self.show_targets()
        self.services.settings_changed.emit()

    def _put(self, line: _Line) -> _Line:
        place = self._grid.rowCount()
        for column, widget in enumerate(line.widgets()):
            self._grid.addWidget(widget, place, column)
        line.swatch.clicked.connect(lambda _checked=False: self._choose_colour(line))
        line.remove.clicked.connect(lambda _checked=False: self._remove(line))
        self.lines.append(line)
        return line

    def _remove(self, line: _Line) -> None:
        self.lines.remove(line)
        self._take_out(line)

    def _take_out(self, line: _Line) -> None:
        for widget in line.widgets():
            self._grid.removeWidget(widget)
            widget.deleteLater()

    def _choose_colour(self, line: _Line) -> None:
        dialog = QColorDialog(QColor(line.colour), self)
        for place, colour in enumerate(COLOURS):
            dialog.setCustomColor(place, QColor(colour))
        dialog.colorSelected.connect(lambda colour: line.show_colour(colour.name().upper()))
        dialog.open()
