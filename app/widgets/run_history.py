"""The runs of a study in a table, and what can be done with the one that is chosen."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout

from app.texts import tr
from app.widgets.plain import ElidedLabel, button, label, row
from training.messages import RunState
from workflows.train_model import RunSummary

_LEAST_HEIGHT = 96  # heads and two lines
_CAN_BE_RESUMED = (RunState.STOPPED, RunState.FAILED)


class RunHistory(QFrame):
    """Shows and asks; the page does."""

    chosen = Signal(object)
    compared = Signal(object)
    wants_resume = Signal(object)
    wants_use = Signal(object)
    wants_back = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._runs: list[RunSummary] = []
        self._is_busy = False
        self._active = ""
        self.table = self._make_table()
        self.resume = button(tr("Resume"), self._ask_resume, icon_name="play")
        self.use = button(tr("Use this model…"), self._ask_use, icon_name="check")
        self.back = button("", self.wants_back.emit, role="quiet", icon_name="undo")
        self._in_use = ElidedLabel("muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(8)
        column.addWidget(label(tr("Runs"), "heading"))
        column.addWidget(self.table, 1)
        column.addLayout(row(self.resume, self.use, None))
        model = row(self._in_use, self.back)
        model.setStretch(0, 1)
        column.addLayout(model)
        self._show_buttons()

    @property
    def run(self) -> RunSummary | None:
        """The run that is chosen."""
        line = self.table.currentRow()
        return self._runs[line] if 0 <= line < len(self._runs) else None

    def show_runs(self, runs: list[RunSummary]) -> None:
        """Fill the table, newest first; the choice stays."""
        before = self.run.name if self.run is not None else ""
        self._runs = runs
        self.table.blockSignals(True)
        self.table.setRowCount(len(runs))
        for line, run in enumerate(runs):
            dice = f"{run.dice:.3f}" if run.dice is not None else "–"
            state = tr("in use") if run.name == self._active else tr(run.state.value)
            for place, text in enumerate((run.name, state, f"{run.step} / {run.total}", dice)):
                self.table.setItem(line, place, QTableWidgetItem(text))
        self.table.setCurrentCell(next((n for n, run in enumerate(runs) if run.name == before), 0 if runs else -1), 0)
        self.table.blockSignals(False)
        self._show_buttons()

    def show_progress(self, name: str, state: RunState, step: int, dice: float | None = None) -> None:
        """How far the run is that goes on: its files tell it later."""
        for line, run in enumerate(self._runs):
            if run.name == name:
                told = {1: tr(state.value), 2: f"{step} / {run.total}", 3: "" if dice is None else f"{dice:.3f}"}
                for place, text in told.items():
                    item = self.table.item(line, place)
                    if item is not None and text:
                        item.setText(text)

    def choose(self, name: str) -> None:
        """Put the choice on a run."""
        line = next((n for n, run in enumerate(self._runs) if run.name == name), -1)
        self.table.setCurrentCell(line, 0)

    def show_models(self, active: str, previous: str) -> None:
        """Which model is in use, and which was before; empty where there is none."""
        self._active = active
        self._in_use.say(tr("In use: {name}").format(name=active) if active else tr("No model is in use yet."))
        self.back.setVisible(bool(active))
        self.back.setText(tr("Back to {name}").format(name=previous) if previous else tr("Use no model"))
        self.show_runs(self._runs)

    def allow(self, *, is_busy: bool) -> None:
        """While a run or a comparison goes on, nothing else can be begun."""
        self._is_busy = is_busy
        self._show_buttons()

    def _make_table(self) -> QTableWidget:
        table = _Table(0, 4)
        table.setHorizontalHeaderLabels([tr("Run"), tr("State"), tr("Steps"), "Dice"])
        table.setAccessibleName(tr("Runs"))
        table.verticalHeader().setVisible(False)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.setToolTip(tr("Hold Ctrl or Shift to choose several runs and compare them."))
        table.currentCellChanged.connect(lambda *_cells: self._on_choice())
        table.itemSelectionChanged.connect(self._on_selection)
        return table

    def _on_choice(self) -> None:
        self._show_buttons()
        if self.run is not None:
            self.chosen.emit(self.run)

    def _on_selection(self) -> None:
        lines = sorted({index.row() for index in self.table.selectedIndexes()})
        self.compared.emit([self._runs[line] for line in lines if line < len(self._runs)])

    def _ask_resume(self) -> None:
        if self.run is not None:
            self.wants_resume.emit(self.run)

    def _ask_use(self) -> None:
        if self.run is not None:
            self.wants_use.emit(self.run)

    def _show_buttons(self) -> None:
        run, is_free = self.run, not self._is_busy
        self.resume.setEnabled(is_free and run is not None and run.state in _CAN_BE_RESUMED)
        self.use.setEnabled(is_free and run is not None and run.has_model and run.name != self._active)
        self.back.setEnabled(is_free)


class _Table(QTableWidget):
    """A few lines high where there is no room for more."""

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), _LEAST_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), _LEAST_HEIGHT)
