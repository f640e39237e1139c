"""Runs side by side: their curves over each other, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.texts import tr
from app.widgets.curve_plot import CurvePlot
from app.widgets.plain import label
from workflows.run_comparison import differences
from workflows.train_model import RunSummary, curves_of

MOST_RUNS = 6


class RunComparison(QWidget):
    """Dice and loss of up to six runs, and a table of what differs."""

    def __init__(self) -> None:
        super().__init__()
        self._words = label("", "muted", wraps=True)
        self.dice_plot = CurvePlot(tr("step"), "Dice", is_share=True)
        self.loss_plot = CurvePlot(tr("step"), tr("loss"))
        self.table = QTableWidget()
        self.table.setAccessibleName(tr("Settings that differ"))
        self.table.verticalHeader().setVisible(False)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        plots = QHBoxLayout()
        plots.setSpacing(14)
        plots.addWidget(self.dice_plot)
        plots.addWidget(self.loss_plot)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 10, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._words)
        column.addLayout(plots, 3)
        column.addWidget(self.table, 2)
        self.show_runs(())

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """Two runs or more; fewer say how to choose some."""
        shown = list(runs)[:MOST_RUNS] if len(runs) > 1 else []
        for widget in (self.dice_plot, self.loss_plot, self.table):
            widget.setVisible(bool(shown))
        if not shown:
            self._words.setText(tr("Choose two or more runs in the list (hold Ctrl or Shift) to compare them."))
            return
        self.dice_plot.clear_curves()
        self.loss_plot.clear_curves()
        for run in shown:
            curves = curves_of(run.folder)
            for values in curves.steps:
                self.loss_plot.add(run.name, values["step"], values.get("loss", float("nan")))
            for _, step, dice in curves.dice:
                self.dice_plot.add(run.name, step, dice)
        self.dice_plot.refresh()
        self.loss_plot.refresh()
        self._fill(shown)

    def _fill(self, runs: list[RunSummary]) -> None:
        rows: list[tuple[str, ...]] = [
            (tr("Dice"), *(f"{run.dice:.3f}" if run.dice is not None else "–" for run in runs)),
            (tr("Steps"), *(f"{run.step} / {run.total}" for run in runs)),
        ]
        found = differences([run.folder for run in runs])
        rows += [(one.name, *one.values) for one in found if one.name != "steps"]
        self._words.setText(
            tr("{n} settings differ. A difference in Dice below that of two seeds means nothing.").format(n=len(found))
            if found
            else tr("These runs have the same settings and data.")
        )
        self.table.setColumnCount(1 + len(runs))
        self.table.setHorizontalHeaderLabels([tr("Setting"), *(run.name for run in runs)])
        self.table.setRowCount(len(rows))
        for line, cells in enumerate(rows):
            for place, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(line, place, item)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
