"""The plots of the agreement screen: pairs by Dice, IoU, HD95 or kappa; people by time, loss or drift."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from app.texts import tr
from app.widgets.dot_plot import Dot, DotPlot
from app.widgets.plain import card, label, row
from workflows.agreement import AgreementReport, apart

PAIR_METRICS = {"dice": "Dice", "iou": "IoU", "hausdorff95_px": "HD95", "kappa": "κ"}
UNITS = {"hausdorff95_px": "px", "active_s": "s", "loss": "%", "drift_deg": "°"}
READ_METRICS = {"active_s": "Time per image", "loss": "Gaze loss", "drift_deg": "Drift"}


class AgreementPlots(QWidget):
    """Two plots side by side, each with its measure to choose; `picked` names the image of a clicked dot."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._report: AgreementReport | None = None
        self.pair_metric, self.read_metric = QComboBox(), QComboBox()
        self.pairs, self.reads = DotPlot(), DotPlot()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(14)
        for title, chooser, names, plot in (
            (tr("Each image, by pair"), self.pair_metric, PAIR_METRICS, self.pairs),
            (tr("Each image, by annotator"), self.read_metric, READ_METRICS, self.reads),
        ):
            frame, column = card(margin=14, spacing=6)
            for name, words in names.items():
                chooser.addItem(tr(words), name)
            chooser.setAccessibleName(tr("What is plotted"))
            chooser.currentIndexChanged.connect(lambda _index: self._draw())
            column.addLayout(row(label(title, "heading"), None, chooser))
            plot.setMinimumHeight(170)
            plot.picked.connect(self.picked)
            column.addWidget(plot, 1)
            line.addWidget(frame, 1)

    def show_report(self, report: AgreementReport) -> None:
        """Plot another comparison."""
        self._report = report
        self._draw()

    def _draw(self) -> None:
        report = self._report
        if report is None:
            return
        metric = str(self.pair_metric.currentData())
        named = [
            (f"{pair.first} – {pair.second}", pair.image_id, float(getattr(pair, metric))) for pair in report.pairs
        ]
        lies_apart = apart([value for _, _, value in named], metric)
        top = None if metric == "hausdorff95_px" else 1.0
        self.pairs.show_dots(
            [Dot(*one, is_outlier=far) for one, far in zip(named, lies_apart, strict=True)],
            UNITS.get(metric, ""),
            top=top,
        )
        metric = str(self.read_metric.currentData())
        factor = 100.0 if metric == "loss" else 1.0
        read = [
            (read.annotator, read.image_id, value * factor)
            for read in report.reads
            if (value := getattr(read, metric)) is not None
        ]
        lies_apart = apart([value for _, _, value in read], metric)
        self.reads.show_dots(
            [Dot(*one, is_outlier=far) for one, far in zip(read, lies_apart, strict=True)], UNITS[metric]
        )
