"""Scanpath and heatmap of any trial, with the study's label settings live on sliders."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.background_task import Task
from app.colour_maps import NAMES, level_colour
from app.context import Services
from app.picture_loader import PictureLoader
from app.screen import Screen, screens
from app.slices_ahead import SlicesAhead
from app.texts import counted, tr
from app.widgets.image_canvas import ImageCanvas
from app.widgets.label_settings import LabelSettings
from app.widgets.layers import Layer, OutlineLayer, PictureLayer, PointsLayer, ScanpathLayer
from app.widgets.plain import EmptyState, button, label, line
from app.widgets.trial_list import TrialList
from app.widgets.viewer import PeekFilter, bind_view_actions, say_reading, say_unreadable
from domain.labels import LabelMaps
from domain.study import Role
from domain.trial import TrialRecord
from workflows.view_trial import RawGaze, TrialView, mean_dice, open_trial, raw_samples_on_image, trials_with_gaze

REFERENCE_COLOUR = "#FFFFFF"
_RENEW_AFTER_MS = 40


@screens.register("labels")
class LabelsScreen(Screen):
    """What was looked at and what becomes of it."""

    title: ClassVar[str] = "Labels"
    icon: ClassVar[str] = "path"
    order: ClassVar[int] = 60
    roles: ClassVar[frozenset[Role]] = frozenset({Role.REVIEWER, Role.ADMIN})

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._trials: list[TrialRecord] = []
        self._view: TrialView | None = None
        self._maps: LabelMaps | None = None
        self._samples = RawGaze.none()
        self._slices = SlicesAhead(services.readers)
        self._task: Task | None = None
        self.canvas = ImageCanvas()
        self.canvas.tells_slice = True
        self.pictures: PictureLoader[str, TrialView] = PictureLoader(
            services.readers,
            self._read_trial,
            on_shown=lambda _trial_id, view: self._show_trial(view),
            on_failed=lambda trial_id, error: say_unreadable(self.canvas, trial_id, error),
            on_slow=lambda _trial_id: say_reading(self.canvas),
        )
        self._renew = QTimer(self)
        self._renew.setSingleShot(True)
        self._renew.setInterval(_RENEW_AFTER_MS)
        self._renew.timeout.connect(self._make_maps)
        self._list = TrialList()
        self._list.currentRowChanged.connect(self._open)
        self._empty = EmptyState(
            "path", tr("Nobody has looked at an image yet."), tr("Annotate"), lambda: services.navigate("annotate")
        )
        self._body = QWidget()
        body = QHBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        body.addWidget(self._list)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.canvas, 1)
        middle.addWidget(self._time_bar())
        body.addLayout(middle, 1)
        body.addWidget(self._panel())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._body, 1)
        whole.addWidget(self._empty, 1)
        self.canvas.unreadable.connect(services.show_error)
        self.canvas.slice_changed.connect(lambda _slice_index: self._show_samples())
        bind_view_actions(self, self.canvas, services.actions)
        PeekFilter(self, self.canvas, services.actions)

    def on_shown(self, **arguments: object) -> None:
        self._trials = trials_with_gaze(self.services.open_study)
        self._settings.show_parameters(self.services.open_study.settings.labels)
        self._say_changed()
        is_masked = self.services.role is Role.ANNOTATOR
        if is_masked:
            self._trials = [trial for trial in self._trials if trial.annotator == self.services.annotator]
        self._list.show_trials(self._trials, is_masked=is_masked)
        self._body.setVisible(bool(self._trials))
        self._empty.setVisible(not self._trials)
        wanted = arguments.get("image_id")
        place = next((n for n, trial in enumerate(self._trials) if trial.image_id == wanted), 0)
        if self._trials:
            self._list.setCurrentRow(place)
            self._open(place)
        self.canvas.setFocus()

    @property
    def has_maps(self) -> bool:
        """Whether the maps of the chosen trial are there."""
        return self._maps is not None

    def on_hidden(self) -> None:
        self.close_screen()

    def close_screen(self) -> None:
        self._stop()
        self.pictures.stop()
        self._slices.stop()

    # building

    def _time_bar(self) -> QFrame:
        bar = QFrame()
        bar.setProperty("role", "rail")
        bar.setFixedHeight(46)
        self._time = QSlider(Qt.Orientation.Horizontal)
        self._time.setAccessibleName(tr("Time within the look"))
        self._time.valueChanged.connect(lambda _value: self._show_layers())
        self._time_words = label("", "small")
        self._time_words.setFixedWidth(150)
        self._time_words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        items = QHBoxLayout(bar)
        items.setContentsMargins(18, 0, 18, 0)
        items.addWidget(label(tr("Time"), "small"))
        items.addWidget(self._time, 1)
        items.addWidget(self._time_words)
        return bar

    def _panel(self) -> QScrollArea:
        panel = QFrame()
        panel.setProperty("role", "bar")
        column = QVBoxLayout(panel)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(8)
        column.addWidget(label(tr("Shown"), "heading"))
        self._shown: dict[str, QCheckBox] = {}
        grid = QGridLayout()
        for number, (name, words) in enumerate(
            (
                ("scanpath", tr("Scanpath")),
                ("samples", tr("Raw samples")),
                ("heatmap", tr("Heatmap")),
                ("refined", tr("Refined map")),
                ("levels", tr("Levels")),
                ("reference", tr("Reference mask")),
            )
        ):
            box = QCheckBox(words)
            box.setChecked(name in ("scanpath", "levels", "reference"))
            box.toggled.connect(lambda _on: self._show_layers())
            self._shown[name] = box
            grid.addWidget(box, number // 2, number % 2)
        column.addLayout(grid)
        self._colours = QComboBox()
        self._colours.addItems(NAMES)
        self._colours.setToolTip(tr("Colours of the maps"))
        self._colours.setAccessibleName(tr("Colours of the maps"))
        self._colours.currentIndexChanged.connect(lambda _index: self._show_layers())
        column.addWidget(self._colours)
        column.addWidget(line())
        column.addWidget(label(tr("Label settings"), "heading"))
        self._settings = LabelSettings(self.services.open_study.settings.labels)
        self._settings.changed.connect(self._on_settings)
        self._settings.levels_changed.connect(self._on_levels)
        column.addWidget(self._settings)
        column.addWidget(line())
        column.addWidget(label(tr("Agreement"), "heading"))
        self._dice_words = label("", "", wraps=True)
        column.addWidget(self._dice_words)
        self._all_words = label("", "small", wraps=True)
        self._compare = button(tr("Compare on all trials"), self._compare_all, icon_name="agreement")
        column.addWidget(self._compare)
        column.addWidget(self._all_words)
        self._warnings = label("", "small", wraps=True)
        self._warnings.setProperty("state", "warn")
        column.addWidget(self._warnings)
        column.addStretch(1)
        self._use = button(tr("Use for this study"), self._use_for_study, role="primary", icon_name="check")
        self._use.setVisible(self.services.role is Role.ADMIN)
        column.addWidget(self._use)
        scroll = QScrollArea()
        scroll.setWidget(panel)
        scroll.setWidgetResizable(True)
        scroll.setFixedWidth(318)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return scroll

    # settings

    def _on_settings(self) -> None:
        self._say_changed()
        self._renew.start()

    def _on_levels(self) -> None:
        self._say_changed()
        if self._maps is not None:  # levels alone need no new map
            self._show_maps(replace(self._maps, parameters=self._settings.parameters))

    def _say_changed(self) -> None:
        self._all_words.setText("")
        self._use.setEnabled(self._settings.parameters != self.services.open_study.settings.labels)

    def _use_for_study(self) -> None:
        study = self.services.open_study
        study.update_settings(replace(study.settings, labels=self._settings.parameters))
        self._say_changed()
        self._all_words.setText(tr("New labels of this study are made like this from now on."))

    # maps

    def _open(self, place: int) -> None:
        if not 0 <= place < len(self._trials):
            return
        self._stop()
        self._view = None
        near = [self._trials[n].trial_id for n in (place, place + 1, place - 1) if 0 <= n < len(self._trials)]
        self.pictures.want(near[0], ahead=near[1:])

    def _read_trial(self, trial_id: str) -> TrialView:
        record = next(trial for trial in self._trials if trial.trial_id == trial_id)
        return open_trial(self.services.open_study, record)

    def _show_trial(self, view: TrialView) -> None:
        self._view, record = view, view.record
        self._maps = None
        self._samples = RawGaze.none()
        self.canvas.set_pixels(view.pixels, home_slice=view.home_slice)
        self._slices.read_around(view.pixels, view.home_slice)
        fixations = record.fixations
        end_ms = float((fixations.start_ms + fixations.duration_ms).max()) if len(fixations) else 1.0
        self._time.blockSignals(True)
        self._time.setRange(0, round(end_ms))
        self._time.setValue(round(end_ms))
        self._time.blockSignals(False)
        self._show_layers()
        self._make_maps()
        study = self.services.open_study
        self.services.tasks.start(
            "",
            lambda _report, _cancel: (record.trial_id, raw_samples_on_image(study, record)),
            on_done=self._on_samples,
        )

    def _on_samples(self, found: tuple[str, RawGaze]) -> None:
        if self._view is not None and found[0] == self._view.record.trial_id:
            self._samples = found[1]
            self._shown["samples"].setEnabled(len(self._samples.xy) > 0)
            self._show_layers()

    def _make_maps(self) -> None:
        view, parameters = self._view, self._settings.parameters
        if view is None:
            return
        self._stop()
        self._task = self.services.tasks.start(
            "",
            lambda report, cancel: view.labelled(parameters, on_progress=report, cancel=cancel),
            on_done=self._show_maps,
        )

    def _stop(self) -> None:
        if self._task is not None and not self._task.is_over:
            self._task.cancel()

    def _show_maps(self, maps: LabelMaps) -> None:
        if self._view is None or maps.parameters.thresholds != self._settings.parameters.thresholds:
            return
        self._maps = maps
        values = self._view.level_dice(maps)
        if values:
            lines = [tr("Level {n}: Dice {value:.3f}").format(n=n, value=v) for n, v in enumerate(values, start=1)]
            self._dice_words.setText("\n".join(lines))
        else:
            self._dice_words.setText(tr("No reviewed mask to compare with."))
        self._warnings.setText("\n".join(maps.warnings))
        self._show_layers()

    def _show_layers(self) -> None:
        view, maps = self._view, self._maps
        if view is None:
            return
        layers: dict[str, Layer] = {}
        wanted = {name for name, box in self._shown.items() if box.isChecked()}
        if maps is not None:
            for name in ("heatmap", "refined"):
                if name in wanted:
                    layers[name] = PictureLayer.of_map(getattr(maps, name), self._colours.currentText())
        if "reference" in wanted and view.reference is not None:
            layers["reference"] = OutlineLayer(view.reference, REFERENCE_COLOUR, is_dashed=True)
        if maps is not None and "levels" in wanted:
            for number, level in enumerate(maps.levels):
                layers[f"level {number}"] = OutlineLayer(level, level_colour(number))
        if "scanpath" in wanted:
            until = float(self._time.value())
            layers["scanpath"] = ScanpathLayer(view.record.fixations, view.pixels.size, until_ms=until)
        self.canvas.set_layers(layers)
        self._show_samples()
        self._time_words.setText(
            tr("{now:.1f} of {total:.1f} s").format(now=self._time.value() / 1e3, total=self._time.maximum() / 1e3)
        )

    def _show_samples(self) -> None:
        """Raw gaze, on each slice of a stack what fell on that slice."""
        view = self.canvas.view
        is_wanted = self._shown["samples"].isChecked() and view is not None and self._view is not None
        xy = self._samples.on_slice(view.slice_index) if is_wanted and view is not None else np.zeros((0, 2))
        self.canvas.set_slice_layer(PointsLayer(xy) if len(xy) else None)

    def _compare_all(self) -> None:
        study, trials, parameters = self.services.open_study, list(self._trials), self._settings.parameters
        self._compare.setEnabled(False)
        task = self.services.tasks.start(
            tr("Comparing with reviewed masks"),
            lambda report, cancel: mean_dice(study, trials, parameters, on_progress=report, cancel=cancel),
            on_done=self._on_compared,
        )
        task.ended.connect(self._on_compare_ended)

    def _on_compare_ended(self) -> None:
        self._compare.setEnabled(True)

    def _on_compared(self, found: tuple[list[float], int]) -> None:
        values, n_images = found
        if not values:
            self._all_words.setText(tr("No trial has a reviewed or reference mask."))
            return
        dices = " · ".join(f"{value:.3f}" for value in values)
        self._all_words.setText(
            tr("Mean Dice per level over {trials}: {dices}").format(
                trials=counted(n_images, tr("1 trial"), tr("{n} trials")), dices=dices
            )
        )
