"""How a run goes or went: its curves and example predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.colour_maps import level_colour
from app.texts import tr
from app.theme import COLOURS
from app.widgets.curve_plot import CurvePlot
from app.widgets.plain import label
from training.messages import number_of
from workflows.train_model import curves_of

_N_PICTURES = 4
_PICTURE_HEIGHT = 130


class RunCurves(QWidget):
    """Loss terms above, Dice and the levels' disagreement below, then the pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.loss_plot = CurvePlot(tr("step"), tr("loss"))
        self.dice_plot = CurvePlot(tr("step"), tr("Dice, disagreement"), is_share=True)
        self._in_turn = [self.loss_plot, self.dice_plot]
        self._pictures = [QLabel() for _ in range(_N_PICTURES)]
        line = QHBoxLayout()
        line.setSpacing(10)
        for picture in self._pictures:
            picture.setFixedHeight(_PICTURE_HEIGHT)
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
            picture.hide()
            line.addWidget(picture, 1)
        self.nothing = label(tr("The curves of a run are drawn here, from its first step on."), "muted", wraps=True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._plots = QWidget()
        plots = QVBoxLayout(self._plots)
        plots.setContentsMargins(0, 0, 0, 0)
        plots.setSpacing(14)
        plots.addWidget(self.loss_plot, 3)
        plots.addWidget(self.dice_plot, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addWidget(self.nothing, 1)
        column.addWidget(self._plots, 1)
        column.addLayout(line)
        self._show_plots(False)

    def clear(self) -> None:
        """Begin again."""
        self.loss_plot.clear_curves()
        self.dice_plot.clear_curves()
        self.show_pictures(Path(), ())
        self._show_plots(False)

    def refresh(self) -> None:
        """Draw what came since in one plot, in turn, so that no frame paints both; called a few times a second."""
        plot = next((plot for plot in self._in_turn if plot.has_news()), None)
        if plot is not None:
            plot.refresh()
            self._in_turn.remove(plot)
            self._in_turn.append(plot)

    def add_step(self, values: Mapping[str, Any]) -> None:
        """One row of a run's metrics, or one of its step events."""
        step = int(values["step"])
        self.set_length(int(values.get("total") or 0))
        self._show_plots(True)
        self.loss_plot.add(tr("loss"), step, number_of(values, "loss"), colour=COLOURS.text)
        for name in values:
            if name.startswith("level_"):
                number = name.removeprefix("level_")
                colour = level_colour(int(number) - 1) if number.isdecimal() else ""
                self.loss_plot.add(tr("level {n}").format(n=number), step, number_of(values, name), colour=colour)
        self.dice_plot.add(tr("level disagreement"), step, number_of(values, "disagreement"))

    def add_dice(self, split: str, step: int, dice: float) -> None:
        """One evaluation."""
        self._show_plots(True)
        self.dice_plot.add(tr("Dice ({split})").format(split=split), step, dice)

    def set_length(self, n_steps: int) -> None:
        """How many steps the run has; 0 where that is not known."""
        for plot in (self.loss_plot, self.dice_plot):
            plot.set_length(n_steps)

    def _show_plots(self, is_any: bool) -> None:
        """Empty axes would say that something from 0 to 1 was measured."""
        if self._plots.isHidden() == is_any:
            self._plots.setVisible(is_any)
            self.nothing.setVisible(not is_any)

    def show_pictures(self, folder: Path, names: Sequence[str]) -> None:
        """Example predictions; those that cannot be read are passed over."""
        for picture in self._pictures:
            picture.hide()
        for picture, name in zip(self._pictures, names, strict=False):
            found = QPixmap(str(folder / name))
            if not found.isNull():
                picture.setPixmap(found.scaledToHeight(_PICTURE_HEIGHT, Qt.TransformationMode.SmoothTransformation))
                picture.show()

    def show_run(self, folder: Path, n_steps: int = 0) -> None:
        """A run of before, and how many steps it was to have."""
        self.clear()
        self.set_length(n_steps)
        curves = curves_of(folder)
        for values in curves.steps:
            self.add_step(values)
        for split, step, dice in curves.dice:
            self.add_dice(split, step, dice)
        self.show_pictures(folder, [f"previews/{number}.png" for number in range(_N_PICTURES)])
        self.loss_plot.refresh()
        self.dice_plot.refresh()
