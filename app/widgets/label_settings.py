"""What becomes of gaze: source, width of the Gaussian and levels, live on sliders."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QSlider, QVBoxLayout, QWidget

from app.colour_maps import level_colour
from app.texts import tr
from app.widgets.plain import button, label, row
from domain.labels import LabelParameters
from processing.refiner import refiners

SOURCES = {
    "none": "Heatmap as it is",
    "crf": "Dense CRF",
    "grabcut": "GrabCut",
    "random_walker": "Random walker",
}
MAX_LEVELS = 5


class LabelSettings(QWidget):
    """changed: other maps are wanted. levels_changed: the same maps, cut elsewhere."""

    changed = Signal()
    levels_changed = Signal()

    def __init__(self, parameters: LabelParameters) -> None:
        super().__init__()
        self.parameters = parameters
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._source = QComboBox()
        for name in refiners.names():
            self._source.addItem(tr(SOURCES.get(name, name)), name)
        self._source.setAccessibleName(tr("Label source"))
        self._source.currentIndexChanged.connect(
            lambda _index: self._change(replace(self.parameters, source=str(self._source.currentData())))
        )
        column.addWidget(self._source)
        self._sigma_words = label("", "small")
        self._sigma = QSlider(Qt.Orientation.Horizontal)
        self._sigma.setRange(5, 160)
        self._sigma.setAccessibleName(tr("Width of the Gaussian"))
        self._sigma.valueChanged.connect(lambda value: self._change(replace(self.parameters, sigma=float(value))))
        column.addWidget(self._sigma_words)
        column.addWidget(self._sigma)
        self._level_rows = [self._level_row(number) for number in range(MAX_LEVELS)]
        for holder, _slider in self._level_rows:
            column.addWidget(holder)
        self._more = button(tr("Add a level"), self._add_level, role="quiet", icon_name="plus")
        self._fewer = button(tr("Take one away"), self._drop_level, role="quiet", icon_name="close")
        column.addLayout(row(self._more, self._fewer, None))
        self.show_parameters(parameters)

    def show_parameters(self, parameters: LabelParameters) -> None:
        """Put everything where these are; nobody is told."""
        self.parameters = parameters
        widgets = [self._source, self._sigma, *(slider for _, slider in self._level_rows)]
        for widget in widgets:
            widget.blockSignals(True)
        self._source.setCurrentIndex(max(0, self._source.findData(parameters.source)))
        self._sigma.setValue(round(parameters.sigma))
        unit = tr("px of 768") if parameters.heatmap_mode == "published" else tr("degrees")
        self._sigma_words.setText(tr("σ {sigma:.0f} {unit}").format(sigma=parameters.sigma, unit=unit))
        for number, (holder, slider) in enumerate(self._level_rows):
            is_used = number < len(parameters.thresholds)
            holder.setVisible(is_used)
            if is_used:
                threshold = parameters.thresholds[number]
                slider.setValue(round(threshold * 100))
                words = holder.findChild(QWidget, "words")
                colour = level_colour(number)
                if words is not None:
                    words.setProperty("text", tr("Level {n}: from {level:.2f}").format(n=number + 1, level=threshold))
                    words.setStyleSheet(f"border-left: 4px solid {colour}; padding-left: 6px;")
        for widget in widgets:
            widget.blockSignals(False)
        self._more.setEnabled(len(parameters.thresholds) < MAX_LEVELS)
        self._fewer.setEnabled(len(parameters.thresholds) > 1)

    def _level_row(self, number: int) -> tuple[QWidget, QSlider]:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        words = label("", "small")
        words.setObjectName("words")
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(1, 99)
        slider.setAccessibleName(tr("Threshold of level {n}").format(n=number + 1))
        slider.valueChanged.connect(lambda value: self._on_threshold(number, value))
        column.addWidget(words)
        column.addWidget(slider)
        return holder, slider

    def _change(self, parameters: LabelParameters) -> None:
        self.show_parameters(parameters)
        self.changed.emit()

    def _on_threshold(self, number: int, value: int) -> None:
        thresholds = list(self.parameters.thresholds)
        thresholds[number] = value / 100
        self.show_parameters(replace(self.parameters, thresholds=tuple(thresholds)))
        self.levels_changed.emit()

    def _add_level(self) -> None:
        thresholds = self.parameters.thresholds
        self._change(replace(self.parameters, thresholds=(*thresholds, max(0.05, min(thresholds) - 0.1))))

    def _drop_level(self) -> None:
        self._change(replace(self.parameters, thresholds=self.parameters.thresholds[:-1]))
