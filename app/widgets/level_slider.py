"""From which share of the strongest gaze a pixel belongs to the mask: a slider, and the study's levels as buttons."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSlider, QVBoxLayout, QWidget

from app.colour_maps import colour_at, level_colour
from app.texts import tr
from app.widgets.plain import button, label
from domain.labels import LabelMaps
from workflows.mask_editing import Mask

_STEPS = 100


class LevelSlider(QWidget):
    """previewed: the mask while the slider is held; chosen: the mask that was settled on. Dead without maps."""

    previewed = Signal(object)
    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._maps: LabelMaps | None = None
        self._threshold = 0.5
        self._title, self._words = label(tr("Level"), "heading"), label("", "small", wraps=True)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(1, _STEPS - 1)
        self._slider.setAccessibleName(tr("Level: the share of the strongest gaze from which a pixel belongs to it"))
        self._slider.valueChanged.connect(self._on_moved)
        self._slider.sliderReleased.connect(lambda: self._choose(self._slider.value() / _STEPS))
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(9)
        for widget in (self._title, self._slider, self._words):
            column.addWidget(widget)
        column.addLayout(self._buttons)

    def show_maps(self, maps: LabelMaps | None, threshold: float) -> None:
        """The maps of another image, and the level that its mask began with."""
        self._maps = maps
        for widget in (self._slider, self._title, self._words):
            widget.setEnabled(maps is not None)
        while (item := self._buttons.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.deleteLater()
        for number, level in enumerate(maps.parameters.thresholds if maps is not None else (), start=1):
            made = button(f"{level:.2f}", partial(self._choose, level))
            made.setToolTip(tr("Level {n} of the study").format(n=number))
            colour = level_colour(number - 1)
            made.setStyleSheet(f"border-bottom: 2px solid {colour}; padding: 4px 8px;")
            self._buttons.addWidget(made)
        self._buttons.addStretch(1)
        self._set(threshold)

    @property
    def colour(self) -> str:
        """The colour of the level that is set."""
        return colour_at(self._threshold, self._maps.parameters.thresholds if self._maps is not None else ())

    def show_nothing(self) -> None:
        """No image, and nothing to say about its gaze."""
        self.show_maps(None, self._threshold)
        self._words.setText("")

    def show_mask(self, mask: Mask) -> None:
        """The mask as it is now: one that is empty shows no level."""
        if self._maps is None:
            return
        if not mask.any():
            self._slider.blockSignals(True)
            self._slider.setValue(self._slider.maximum())
            self._slider.blockSignals(False)
            self._words.setText(tr("The mask is empty: no level is in it. Choose a level, or draw."))
        elif self._slider.value() != round(self._threshold * _STEPS):
            self._set(self._threshold)

    def step(self, step: int) -> None:
        """The next level of the study, up or down."""
        if self._maps is not None:
            levels = sorted(self._maps.parameters.thresholds)
            nearest = int(np.argmin([abs(level - self._threshold) for level in levels]))
            self._choose(levels[min(max(nearest + step, 0), len(levels) - 1)])

    def _choose(self, threshold: float) -> None:
        if self._maps is not None:
            self._set(threshold)
            self.chosen.emit(self._mask(self._maps, threshold))

    def _set(self, threshold: float) -> None:
        self._threshold = threshold
        self._slider.blockSignals(True)
        self._slider.setValue(round(threshold * _STEPS))
        self._slider.blockSignals(False)
        self._say(threshold)

    def _say(self, threshold: float) -> None:
        if self._maps is None:
            self._words.setText(tr("No gaze on this image yet: draw, or look at it first."))
            return
        share = float(np.mean(self._mask(self._maps, threshold)))
        words = tr("{level:.2f} of the strongest gaze; {share:.1%} of the image")
        self._words.setText(words.format(level=threshold, share=share))

    def _on_moved(self, value: int) -> None:
        threshold = value / _STEPS
        if self._maps is None:
            return
        if self._slider.isSliderDown():
            self._threshold = threshold
            self._say(threshold)
            self.previewed.emit(self._mask(self._maps, threshold))
        else:
            self._choose(threshold)

    @staticmethod
    def _mask(maps: LabelMaps, threshold: float) -> Mask:
        return np.asarray(maps.refined >= threshold)
