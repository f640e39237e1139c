"""What is known of runs, in three tabs: the curves of one, its worst images, and several side by side."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QTabWidget

from app.texts import tr
from app.widgets.run_comparison import RunComparison
from app.widgets.run_curves import RunCurves
from app.widgets.worst_images import WorstImages
from domain.errors import UserFacingError
from workflows.run_comparison import worst_images
from workflows.train_model import RunSummary


class RunViews(QTabWidget):
    """Shows; what to show comes from the page. opened: an image that was clicked."""

    opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.curves = RunCurves()
        self.worst = WorstImages()
        self.comparison = RunComparison()
        self.addTab(self.curves, tr("Curves"))
        self.addTab(self.worst, tr("Worst images"))
        self.addTab(self.comparison, tr("Comparison"))
        self.setDocumentMode(True)
        self.tabBar().setDrawBase(False)
        self.worst.opened.connect(self.opened)

    def clear(self) -> None:
        """A new run begins."""
        self.curves.clear()
        self.worst.show_images(())
        self.setCurrentWidget(self.curves)

    def show_run(self, run: RunSummary) -> None:
        """One run of before."""
        self.curves.show_run(run.folder, run.total)
        try:
            self.worst.show_images(worst_images(run.folder))
        except UserFacingError:
            # A damaged file of scores: the curves stand on their own.
            self.worst.show_images(())
        if self.currentWidget() is self.comparison:
            self.setCurrentWidget(self.curves)

    def compare(self, runs: Sequence[RunSummary]) -> None:
        """Several runs at once, and to the front with them."""
        self.comparison.show_runs(runs)
        if len(runs) > 1:
            self.setCurrentWidget(self.comparison)
