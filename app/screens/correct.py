"""Correcting: the level slider and a few tools over the image, with undo of everything."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QComboBox, QFrame, QHBoxLayout, QLabel, QSlider, QVBoxLayout

from app.careful_undo import CarefulUndo, words_of
from app.colour_maps import NAMES
from app.context import Services
from app.picture_loader import PictureLoader
from app.screen import Screen, screens
from app.seen_long_enough import SeenLongEnough
from app.slices_ahead import SlicesAhead
from app.texts import tr
from app.theme import status_pixmap
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import MaskLayer, PictureLayer
from app.widgets.level_slider import LevelSlider
from app.widgets.page_scroll import PageScroll
from app.widgets.plain import ElidedLabel, button, label, line, row
from app.widgets.stroke_tools import Tool
from app.widgets.tool_settings import ToolSettings
from app.widgets.tool_strip import ToolStrip
from app.widgets.viewer import PeekFilter, bind_view_actions, say_reading, say_unreadable
from domain.pixels import ImagePixels
from domain.slice_stack import SliceStack
from domain.study import Outcome, TrialStatus
from workflows.correct_mask import Draft, Stored
from workflows.edit_history import Decision, Edit, Place
from workflows.mask_editing import Mask
from workflows.worklist import WorklistRow, make_worklist

_PANEL_WIDTH = 296


@dataclass(frozen=True)
class _Picture:
    """What is read beside the window for one image."""

    pixels: ImagePixels | SliceStack
    home_slice: int | None
    stored: Stored


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
        self._status = TrialStatus.NEW
        self._slices = SlicesAhead(services.readers)
        self._words_of_step = ""
        self._careful = CarefulUndo()
        self._target = services.open_study.settings.targets[0].name
        self.canvas = ImageCanvas()
        self.seen = SeenLongEnough(self.canvas)
        self.canvas.tells_slice = True
        self.canvas.unreadable.connect(self.services.show_error)
        self.pictures: PictureLoader[Place, _Picture] = PictureLoader(
            services.readers,
            self._read,
            on_shown=self._show_picture,
            on_failed=self._on_unreadable,
            on_slow=lambda _place: self._show_nothing(),
        )
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._tool_strip())
        whole.addWidget(self.canvas, 1)
        whole.addWidget(self._side_panel())
        self._bind()
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
        self.pictures.stop()  # somebody may have looked, predicted or reviewed since
        self._load()
        self.canvas.setFocus()

    def on_hidden(self) -> None:
        self._clear()
        self.close_screen()

    def close_screen(self) -> None:
        self.pictures.stop()
        self._slices.stop()

    @property
    def place(self) -> Place | None:
        """Image and target on the desk; None until they are seen."""
        return self._draft.place if self._draft is not None else None

    # building

    def _tool_strip(self) -> PageScroll:
        frame = QFrame()
        frame.setProperty("role", "rail")
        frame.setFixedWidth(52)
        column = QVBoxLayout(frame)
        column.setContentsMargins(7, 12, 7, 12)
        self._strip = ToolStrip(
            self,
            self.canvas,
            self.services.actions,
            direction=QBoxLayout.Direction.TopToBottom,
            button_px=38,
            undo=self.undo,
            redo=self.redo,
            accept=self.accept,
        )
        self.tools = self._strip.tools
        self.tools.changed.connect(self._on_changed)
        column.addWidget(self._strip)
        column.addStretch(1)
        return PageScroll(frame, only_down=True)

    def _side_panel(self) -> QFrame:
        panel = QFrame()
        panel.setProperty("role", "bar")
        panel.setFixedWidth(_PANEL_WIDTH)
        whole = QVBoxLayout(panel)
        whole.setContentsMargins(18, 12, 0, 12)
        whole.setSpacing(9)
        head, middle, foot = QVBoxLayout(), QFrame(), QVBoxLayout()
        for part in (head, foot):
            part.setContentsMargins(0, 0, 18, 0)
            part.setSpacing(9)
        middle.setProperty("role", "plain")
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 18, 0)
        column.setSpacing(9)
        scroll = PageScroll(middle)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole.addLayout(head)
        whole.addWidget(scroll, 1)
        whole.addLayout(foot)  # what decides is always in view
        self._name = ElidedLabel("heading", mode=Qt.TextElideMode.ElideMiddle)
        self._position = label("", "small")
        self._status_mark, self._status_word = QLabel(), label("", "muted")
        previous = button("", self.previous_image, role="quiet", icon_name="left")
        following = button("", self.next_image, role="quiet", icon_name="right")
        self.services.actions.decorate(previous, "correct.previous")
        self.services.actions.decorate(following, "correct.next")
        heading = row(self._name, previous, following, spacing=2)
        heading.setStretch(0, 1)
        head.addLayout(heading)
        head.addLayout(row(self._status_mark, self._status_word, None, self._position))
        head.addWidget(line())
        self._level = LevelSlider()
        self._level.previewed.connect(lambda mask: self.canvas.set_layer("mask", MaskLayer(mask, self._level.colour)))
        self._level.chosen.connect(lambda mask: self._on_changed(mask, "level"))
        column.addWidget(self._level)
        column.addWidget(line())
        column.addWidget(ToolSettings(self.tools))
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
        foot.addWidget(self._saved)
        self._no_target = button(tr("No target"), self.no_target, icon_name="none")
        self.services.actions.decorate(self._no_target, "correct.no_target")
        self._accept = button(tr("Accept"), self.accept, role="primary", icon_name="check")
        self.services.actions.decorate(self._accept, "correct.accept")
        foot.addLayout(row(self._no_target, self._accept))
        return panel

    def _bind(self) -> None:
        bind = self.services.actions.bind
        bind(self, "correct.next", self.next_image)
        bind(self, "correct.no_target", self.no_target)
        bind(self, "correct.previous", self.previous_image)
        bind(self, "correct.level_up", partial(self._level.step, 1))
        bind(self, "correct.level_down", partial(self._level.step, -1))
        bind_view_actions(self, self.canvas, self.services.actions)
        PeekFilter(self, self.canvas, self.services.actions)

    # what the user does

    def accept(self) -> None:
        """The mask is the answer; on to the next image."""
        if self._may_change() and self._has_seen():
            self._decide(Outcome.TARGET)

    def no_target(self) -> None:
        """There is nothing to mark in this image: an empty mask, accepted."""
        if self._may_change() and self._draft is not None and self._has_seen():
            desk, place = self.services.desk, self._draft.place
            desk.change(place, np.zeros_like(desk.mask(place)), "no target")
            self._decide(Outcome.NO_TARGET)

    def next_image(self) -> None:
        """The next image of the worklist."""
        self._go(1)

    def previous_image(self) -> None:
        """The image before."""
        self._go(-1)

    def undo(self) -> None:
        """Take back the last step; a decision, or a step on another image, is shown first and needs a second press."""
        if not self._must_wait():
            self._turn(self.services.desk.next_undo, is_undo=True)

    def redo(self) -> None:
        """Make the last undone step again; one on another image is shown first."""
        if not self._must_wait():
            self._turn(self.services.desk.next_redo, is_undo=False)

    # inside

    def _must_wait(self) -> bool:
        """Whether the image that is wanted is not on the screen yet: no key acts on one that nobody sees."""
        if self.pictures.is_waiting:
            self._saved.setText(tr("The image is still being read."))
        return self.pictures.is_waiting

    def _has_seen(self) -> bool:
        """Whether the mask has stood long enough to be decided about; a quiet word where it has not."""
        if not self.seen.is_enough:
            self._saved.setText(tr("That key came before the mask could be seen. Press it again to decide."))
        return self.seen.is_enough

    def _may_change(self) -> bool:
        return not self._must_wait() and self._draft is not None and self._status is not TrialStatus.ACCEPTED

    def _decide(self, outcome: Outcome) -> None:
        if self._draft is None:
            return
        place = self._draft.place
        self.services.desk.accept(place, outcome=outcome)
        self.pictures.forget(place)
        self.services.trial_saved.emit(place[0])
        if self._back:
            self.services.navigate(self._back)
        else:
            self.next_image()

    def _go(self, step: int) -> None:
        self._careful.forget()
        if self._rows:
            self._place = (self._place + step) % len(self._rows)
            self._load()

    def _load(self) -> None:
        if not self._rows:
            self._clear()
            self.canvas.set_pixels(None)
            return
        near = [self._rows[(self._place + step) % len(self._rows)].image_id for step in (0, 1, -1)]
        wanted, *ahead = [(image_id, self._target) for image_id in near]
        self._clear()
        desk = self.services.desk  # opened here, in the thread that it belongs to
        self._strip.show_steps(can_undo=desk.can_undo, can_redo=desk.can_redo)
        self.pictures.want(wanted, ahead=ahead)

    def _clear(self) -> None:
        """Nothing can be done until another image is seen; the one before stays on the screen until then."""
        self._draft = None
        self.tools.drop()

    def _read(self, place: Place) -> _Picture:
        pixels, home_slice = self.services.open_study.stack(place[0])
        return _Picture(pixels, home_slice, self.services.desk.read(*place))

    def _show_picture(self, place: Place, picture: _Picture) -> None:
        self._draft = self.services.desk.open(*place, picture.stored)
        self._status = picture.stored.status
        keep_view = self.services.settings.lock_view
        self.canvas.set_pixels(picture.pixels, keep_view=keep_view, home_slice=picture.home_slice)
        self._slices.read_around(picture.pixels, picture.home_slice)
        self._show_name()
        self._level.show_maps(self._draft.maps, self._draft.threshold)
        self._saved.setText("")
        self._show_mask()
        self._show_status()
        self.seen.begin()
        if self._words_of_step:
            self._saved.setText(self._words_of_step)
            self._words_of_step = ""

    def _show_name(self) -> None:
        self._name.say(self._rows[self._place].shown_name)
        self._position.setText(tr("{n} of {total}").format(n=self._place + 1, total=len(self._rows)))

    def _show_nothing(self) -> None:
        """What is wanted is not there: its name, and nothing that could be taken for it."""
        say_reading(self.canvas)
        self._show_name()
        self._status_mark.clear()
        self._status_word.setText("")
        self._level.show_nothing()
        for made in (self._accept, self._no_target):
            made.setEnabled(False)

    def _on_unreadable(self, place: Place, error: BaseException) -> None:
        self._show_nothing()
        say_unreadable(self.canvas, place[0], error)

    def _show_mask(self) -> None:
        if self._draft is not None:
            self._draft.mask = self.services.desk.mask(self._draft.place)
            self._strip.show_mask(self._draft.mask, self._level.colour)
            self._level.show_mask(self._draft.mask)
            self._show_maps()

    def _show_maps(self) -> None:
        name, draft, mask = self._shows.currentData(), self._draft, self.canvas.layer("mask")
        shown = {"mask": mask} if mask is not None else {}
        if name and draft is not None and draft.maps is not None:
            self.canvas.set_layers({"map": PictureLayer.of_map(draft.maps.refined, name), **shown})
        else:
            self.canvas.set_layers(shown)

    def _show_status(self) -> None:
        desk, status = self.services.desk, self._status
        self._status_mark.setPixmap(status_pixmap(status))
        self._status_word.setText(tr(status.value))
        self._strip.show_steps(can_undo=desk.can_undo, can_redo=desk.can_redo)
        is_shut = status is TrialStatus.ACCEPTED
        self.tools.is_enabled = not is_shut
        for made in (self._accept, self._no_target):
            made.setEnabled(not is_shut)
        if is_shut:
            self._saved.setText(tr("A reviewer accepted this mask. It can be read, not changed."))

    def _on_changed(self, after: Mask, tool: str) -> None:
        if not self._may_change() or self._draft is None:
            return
        self._careful.forget()
        edit = self.services.desk.change(self._draft.place, after, tool)
        if edit is None and tool == "smart fill":
            self._saved.setText(tr("Nothing of like colour here, or it would spill over the image."))
        elif edit is not None:
            self._saved.setText(tr("Saved: {what}").format(what=tr(tool)))
        self._show_mask()
        self._show_status()

    def _turn(self, edit: Edit | None, *, is_undo: bool) -> None:
        if edit is None:
            self._saved.setText(tr("There is nothing more."))
            return
        what, desk = words_of(edit, self._name_of), self.services.desk
        if desk.is_settled(edit):
            self._show_step(edit, tr("A reviewer decided since about {what}: it stays.").format(what=what))
        elif self._careful.must_name(edit, self.place, is_undo=is_undo):
            words = tr("{key} again takes back: {what}") if is_undo else tr("{key} again does once more: {what}")
            key = self.services.actions.shown_keys("correct.undo" if is_undo else "correct.redo")
            self._show_step(edit, words.format(key=key, what=what))
        else:
            _ = desk.undo() if is_undo else desk.redo()
            if isinstance(edit, Decision):
                self.pictures.forget(edit.place)
                self._status = desk.status(edit.place)
            self._show_mask()
            self._show_status()
            self._saved.setText((tr("Undone: {what}") if is_undo else tr("Done again: {what}")).format(what=what))
            self.services.trial_saved.emit(edit.place[0])

    def _show_step(self, edit: Edit, words: str) -> None:
        """Bring the image of a step on the screen, and say this about it."""
        if self.place == edit.place:
            self._saved.setText(words)
        else:
            self._words_of_step = words
            self.on_shown(image_id=edit.place[0], target=edit.place[1], back=self._back)

    def _name_of(self, image_id: str) -> str:
        return next((row.shown_name for row in self._rows if row.image_id == image_id), image_id)
