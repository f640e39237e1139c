"""Correcting: the level slider and a few tools over the image, with undo of everything."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout

from app.colour_maps import LEVEL_COLOURS, NAMES
from app.context import Services
from app.screen import Screen, screens
from app.texts import tr
from app.theme import icon, status_pixmap
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import MaskLayer, PictureLayer
from app.widgets.plain import button, label, line, row
from app.widgets.stroke_tools import StrokeTools, Tool
from app.widgets.viewer import PeekFilter, bind_view_actions
from domain.study import Outcome, TrialStatus
from workflows.correct_mask import Draft
from workflows.edit_history import Edit, MaskEdit
from workflows.mask_editing import Mask
from workflows.worklist import WorklistRow, make_worklist

MASK_COLOUR = "#56B4E9"
_LEVEL_STEPS = 100


@screens.register("correct")
class CorrectScreen(Screen):
    """One image at a time: its mask can be changed, accepted, flagged."""

    title: ClassVar[str] = "Correct"
    icon: ClassVar[str] = "pencil"
    order: ClassVar[int] = 50

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._rows: list[WorklistRow] = []
        self._back = ""
        self._place = 0
        self._draft: Draft | None = None
        self._target = services.open_study.settings.targets[0].name
        self.canvas = ImageCanvas()
        self.canvas.unreadable.connect(self.services.show_error)
        self.tools = StrokeTools(self.canvas)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._tool_strip())
        whole.addWidget(self.canvas, 1)
        whole.addWidget(self._side_panel())
        self.tools.changed.connect(self._on_changed)
        self.tools.tool_changed.connect(self._show_tool)
        self.tools.radius_changed.connect(lambda _radius: self._show_tool(self.tools.tool))
        self._bind()
        PeekFilter(self, self.canvas, services.actions)
        self.tools.choose(Tool.BRUSH)

    # screen

    def on_shown(self, **arguments: object) -> None:
        target, back = arguments.get("target"), arguments.get("back")
        names = [one.name for one in self.services.open_study.settings.targets]
        if isinstance(target, str):
            self._target = target
        elif self._target not in names:
            self._target = names[0]
        self._back = back if isinstance(back, str) else ""
        services = self.services
        self._rows = make_worklist(services.open_study, services.annotator, self._target, role=services.role).rows
        wanted = arguments.get("image_id")
        if isinstance(wanted, str):
            self._place = next((i for i, r in enumerate(self._rows) if r.image_id == wanted), 0)
        self._load()
        self.canvas.setFocus()

    @property
    def place(self) -> tuple[str, str] | None:
        """Image and target on the desk."""
        return self._draft.place if self._draft is not None else None

    # building

    def _tool_strip(self) -> QFrame:
        strip = QFrame()
        strip.setProperty("role", "rail")
        strip.setFixedWidth(52)
        column = QVBoxLayout(strip)
        column.setContentsMargins(7, 12, 7, 12)
        column.setSpacing(6)
        self._tool_buttons: dict[Tool, QToolButton] = {}
        for tool, action_id in (
            (Tool.BRUSH, "correct.brush"),
            (Tool.ERASER, "correct.eraser"),
            (Tool.POLYGON, "correct.polygon"),
            (Tool.SMART_FILL, "correct.smart_fill"),
        ):
            made = self._strip_button(action_id)
            made.setCheckable(True)
            made.clicked.connect(lambda _checked=False, tool=tool: self.tools.choose(tool))
            self._tool_buttons[tool] = made
            column.addWidget(made)
        fill = self._strip_button("correct.fill_holes")
        fill.clicked.connect(lambda _checked=False: self.tools.fill_holes())
        column.addWidget(fill)
        column.addSpacing(6)
        column.addWidget(line())
        column.addSpacing(6)
        self._undo_button = self._strip_button("correct.undo")
        self._undo_button.clicked.connect(lambda _checked=False: self.undo())
        self._redo_button = self._strip_button("correct.redo")
        self._redo_button.clicked.connect(lambda _checked=False: self.redo())
        column.addWidget(self._undo_button)
        column.addWidget(self._redo_button)
        column.addStretch(1)
        return strip

    def _strip_button(self, action_id: str) -> QToolButton:
        made = QToolButton()
        made.setIcon(icon(self.services.actions.get(action_id).icon))
        made.setIconSize(QSize(22, 22))
        made.setFixedSize(38, 38)
        self.services.actions.decorate(made, action_id)
        return made

    def _side_panel(self) -> QFrame:
        panel = QFrame()
        panel.setProperty("role", "bar")
        panel.setFixedWidth(296)
        column = QVBoxLayout(panel)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(9)
        self._name = label("", "heading")
        self._position = label("", "small")
        self._status_mark, self._status_word = QLabel(), label("", "muted")
        previous = button("", self.previous_image, role="quiet", icon_name="left")
        following = button("", self.next_image, role="quiet", icon_name="right")
        self.services.actions.decorate(previous, "correct.previous")
        self.services.actions.decorate(following, "correct.next")
        column.addLayout(row(self._name, None, previous, following, spacing=2))
        column.addLayout(row(self._status_mark, self._status_word, None, self._position))
        column.addWidget(line())
        self._level_title = label(tr("Level"), "heading")
        column.addWidget(self._level_title)
        self._level = QSlider(Qt.Orientation.Horizontal)
        self._level.setRange(1, _LEVEL_STEPS - 1)
        self._level.setAccessibleName(tr("Level: the share of the strongest gaze from which a pixel belongs to it"))
        self._level.valueChanged.connect(self._on_level_moved)
        self._level.sliderReleased.connect(self._on_level_chosen)
        self._level_words = label("", "small", wraps=True)
        column.addWidget(self._level)
        column.addWidget(self._level_words)
        self._level_buttons = QHBoxLayout()
        self._level_buttons.setSpacing(6)
        column.addLayout(self._level_buttons)
        column.addWidget(line())
        self._tool_title = label("", "heading")
        self._tool_words = label("", "small", wraps=True)
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(1, 120)
        self._size.valueChanged.connect(self._on_size_moved)
        column.addWidget(self._tool_title)
        column.addWidget(self._size)
        column.addWidget(self._tool_words)
        column.addWidget(line())
        column.addWidget(label(tr("Overlay"), "heading"))
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(5, 100)
        self._opacity.setValue(round(self.services.settings.overlay_opacity * 100))
        self._opacity.setAccessibleName(tr("Opacity of the overlay"))
        self._opacity.valueChanged.connect(lambda value: self.canvas.set_opacity(value / 100))
        self.canvas.set_opacity(self.services.settings.overlay_opacity)
        column.addWidget(self._opacity)
        self._shows = QComboBox()
        self._shows.addItem(tr("Mask"), "")
        for name in NAMES:
            self._shows.addItem(tr("Mask and gaze map, {name}").format(name=name), name)
        self._shows.currentIndexChanged.connect(lambda _index: self._show_maps())
        column.addWidget(self._shows)
        column.addWidget(label(tr("Hold Tab to see the image alone."), "small", wraps=True))
        column.addStretch(1)
        self._saved = label("", "small", wraps=True)
        column.addWidget(self._saved)
        no_target = button(tr("No target"), self.no_target, icon_name="none", tooltip=tr("There is no target here"))
        self._accept = button(tr("Accept"), self.accept, role="primary", icon_name="check")
        self.services.actions.decorate(self._accept, "correct.accept")
        column.addLayout(row(no_target, self._accept))
        return panel

    def _bind(self) -> None:
        bind = self.services.actions.bind
        for tool, action_id in (
            (Tool.BRUSH, "correct.brush"),
            (Tool.ERASER, "correct.eraser"),
            (Tool.POLYGON, "correct.polygon"),
            (Tool.SMART_FILL, "correct.smart_fill"),
        ):
            bind(self, action_id, lambda tool=tool: self.tools.choose(tool))  # type: ignore[misc]  # early binding
        bind(self, "correct.fill_holes", self.tools.fill_holes)
        bind(self, "correct.smaller", lambda: self.tools.set_radius(self.tools.radius / 1.2))
        bind(self, "correct.larger", lambda: self.tools.set_radius(self.tools.radius * 1.2))
        bind(self, "correct.close_polygon", self.tools.close_polygon)
        bind(self, "correct.drop_polygon", self.tools.drop_polygon)
        bind(self, "correct.undo", self.undo)
        bind(self, "correct.redo", self.redo)
        bind(self, "correct.accept", self.accept)
        bind(self, "correct.next", self.next_image)
        bind(self, "correct.previous", self.previous_image)
        bind(self, "correct.level_up", lambda: self._step_level(1))
        bind(self, "correct.level_down", lambda: self._step_level(-1))
        bind_view_actions(self, self.canvas, self.services.actions)

    # what the user does

    def accept(self) -> None:
        """The mask is the answer; on to the next image."""
        if self._draft is not None:
            self.services.desk.accept(self._draft.place)
            self.services.trial_saved.emit(self._draft.place[0])
            self._after_accepting()

    def no_target(self) -> None:
        """There is nothing to mark in this image: an empty mask, accepted."""
        if self._draft is None:
            return
        desk, place = self.services.desk, self._draft.place
        desk.change(place, np.zeros_like(desk.mask(place)), "no target")
        desk.accept(place, outcome=Outcome.NO_TARGET)
        self.services.trial_saved.emit(place[0])
        self._after_accepting()

    def next_image(self) -> None:
        """The next image of the worklist."""
        self._go(1)

    def previous_image(self) -> None:
        """The image before."""
        self._go(-1)

    def undo(self) -> None:
        """Take back the last step, on whichever image it was."""
        self._follow(self.services.desk.undo(), tr("Undone: {what}"))

    def redo(self) -> None:
        """Make the last undone step again."""
        self._follow(self.services.desk.redo(), tr("Done again: {what}"))

    # inside

    def _after_accepting(self) -> None:
        if self._back:
            self.services.navigate(self._back)
        else:
            self.next_image()

    def _go(self, step: int) -> None:
        if self._rows:
            self._place = (self._place + step) % len(self._rows)
            self._load()

    def _load(self) -> None:
        if not self._rows:
            self._draft = None
            self.canvas.set_pixels(None)
            return
        shown = self._rows[self._place]
        pixels, home_slice = self.services.open_study.stack(shown.image_id)
        self._draft = self.services.desk.open(shown.image_id, self._target)
        self.canvas.set_pixels(pixels, keep_view=self.services.settings.lock_view, home_slice=home_slice)
        self._name.setText(shown.shown_name)
        self._position.setText(tr("{n} of {total}").format(n=self._place + 1, total=len(self._rows)))
        has_maps = self._draft.maps is not None
        for widget in (self._level, self._level_title, self._level_words):
            widget.setEnabled(has_maps)
        self._fill_level_buttons()
        self._set_level(self._draft.threshold)
        self._saved.setText("")
        self._show_mask()
        self._show_status()

    def _show_mask(self) -> None:
        draft, pixels, view = self._draft, self.canvas.pixels, self.canvas.view
        if draft is None or pixels is None or view is None:
            return
        draft.mask = self.services.desk.mask(draft.place)
        layer = MaskLayer(draft.mask, MASK_COLOUR)
        self.canvas.set_layers({"mask": layer})
        self._show_maps()
        home_slice = self.canvas.home_slice
        self.tools.take(draft.mask, pixels.display_u8(view.slice_index if home_slice is None else home_slice), layer)

    def _show_maps(self) -> None:
        name = self._shows.currentData()
        draft = self._draft
        layers = {"mask": self.canvas.layer("mask")}
        shown = {key: layer for key, layer in layers.items() if layer is not None}
        if name and draft is not None and draft.maps is not None:
            self.canvas.set_layers({"map": PictureLayer.of_map(draft.maps.refined, name), **shown})
        else:
            self.canvas.set_layers(shown)

    def _show_status(self) -> None:
        if self._draft is None:
            return
        desk = self.services.desk
        status = desk.status(self._draft.place)
        self._status_mark.setPixmap(status_pixmap(status))
        self._status_word.setText(tr(status.value))
        self._undo_button.setEnabled(desk.can_undo)
        self._redo_button.setEnabled(desk.can_redo)
        is_shut = status is TrialStatus.ACCEPTED
        self.tools.is_enabled = not is_shut
        self._accept.setEnabled(not is_shut)
        if is_shut:
            self._saved.setText(tr("A reviewer accepted this mask. It can be read, not changed."))

    def _on_changed(self, after: Mask, tool: str) -> None:
        if self._draft is None:
            return
        edit = self.services.desk.change(self._draft.place, after, tool)
        if edit is None and tool == "smart fill":
            self._saved.setText(tr("Nothing of like colour here, or it would spill over the image."))
        elif edit is not None:
            self._saved.setText(tr("Saved: {what}").format(what=tr(tool)))
        self._show_mask()
        self._show_status()

    def _follow(self, edit: Edit | None, words: str) -> None:
        if edit is None:
            self._saved.setText(tr("There is nothing more."))
            return
        image_id, target = edit.place
        if self._draft is None or self._draft.place != edit.place:
            self.on_shown(image_id=image_id, target=target)
        else:
            self._show_mask()
        self._show_status()
        what = edit.tool if isinstance(edit, MaskEdit) else str(edit.after["status"])
        self._saved.setText(words.format(what=tr(what)))
        self.services.trial_saved.emit(image_id)

    # level

    def _fill_level_buttons(self) -> None:
        while (item := self._level_buttons.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.deleteLater()
        maps = self._draft.maps if self._draft is not None else None
        for number, threshold in enumerate(maps.parameters.thresholds if maps is not None else (), start=1):
            colour = LEVEL_COLOURS[(number - 1) % len(LEVEL_COLOURS)]
            made = button(f"{threshold:.2f}", partial(self._choose_level, threshold))
            made.setToolTip(tr("Level {n} of the study").format(n=number))
            made.setStyleSheet(f"border-bottom: 2px solid {colour}; padding: 4px 8px;")
            self._level_buttons.addWidget(made)
        self._level_buttons.addStretch(1)

    def _set_level(self, threshold: float) -> None:
        self._level.blockSignals(True)
        self._level.setValue(round(threshold * _LEVEL_STEPS))
        self._level.blockSignals(False)
        self._say_level(threshold)

    def _say_level(self, threshold: float) -> None:
        maps = self._draft.maps if self._draft is not None else None
        if maps is None:
            self._level_words.setText(tr("No gaze on this image yet: draw, or look at it first."))
        else:
            share = float(np.mean(maps.refined >= threshold))
            self._level_words.setText(
                tr("{level:.2f} of the strongest gaze; {share:.1%} of the image").format(level=threshold, share=share)
            )

    def _on_level_moved(self, value: int) -> None:
        threshold = value / _LEVEL_STEPS
        self._say_level(threshold)
        maps = self._draft.maps if self._draft is not None else None
        if maps is None:
            return
        if self._level.isSliderDown():
            self.canvas.set_layer("mask", MaskLayer(maps.refined >= threshold, MASK_COLOUR))
        else:
            self._choose_level(threshold)

    def _on_level_chosen(self) -> None:
        self._choose_level(self._level.value() / _LEVEL_STEPS)

    def _choose_level(self, threshold: float) -> None:
        maps = self._draft.maps if self._draft is not None else None
        if maps is None or self._draft is None:
            return
        self._draft.threshold = threshold
        self._set_level(threshold)
        self._on_changed(np.asarray(maps.refined >= threshold), "level")

    def _step_level(self, step: int) -> None:
        maps = self._draft.maps if self._draft is not None else None
        if maps is None or self._draft is None:
            return
        levels = sorted(maps.parameters.thresholds)
        nearest = int(np.argmin([abs(level - self._draft.threshold) for level in levels]))
        self._choose_level(levels[min(max(nearest + step, 0), len(levels) - 1)])

    # tools

    def _show_tool(self, tool: Tool) -> None:
        for which, made in self._tool_buttons.items():
            made.setChecked(which is tool)
        self._tool_title.setText(tr(tool.value.capitalize()))
        is_round = tool in (Tool.BRUSH, Tool.ERASER)
        self._size.setVisible(tool is not Tool.POLYGON)
        self._size.blockSignals(True)
        self._size.setRange(1, 120 if is_round else 40)
        self._size.setValue(round(self.tools.radius if is_round else self.tools.tolerance))
        self._size.blockSignals(False)
        self._size.setAccessibleName(tr("Brush size") if is_round else tr("Colour tolerance"))
        words = {
            Tool.BRUSH: tr("Radius {n} px. Hold Ctrl to erase."),
            Tool.ERASER: tr("Radius {n} px."),
            Tool.POLYGON: tr("Click corners; Enter closes it. Hold Ctrl on the last to cut out."),
            Tool.SMART_FILL: tr("Click into a region of like colour. Tolerance {n}. Hold Ctrl to take away."),
        }[tool]
        self._tool_words.setText(words.format(n=self._size.value()))

    def _on_size_moved(self, value: int) -> None:
        if self.tools.tool in (Tool.BRUSH, Tool.ERASER):
            self.tools.set_radius(float(value))
        else:
            self.tools.tolerance = float(value)
            self._show_tool(self.tools.tool)
