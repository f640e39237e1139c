"""What is seen of the full-screen stage: a black screen, a page in its middle, a line above and one below."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.actions import ActionRegistry
from app.colour_maps import level_colour
from app.key_overlay import KeyOverlay
from app.seen_long_enough import SeenLongEnough
from app.stage_cards import Card
from app.stage_phase import Phase
from app.texts import tr
from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import Layer, MaskLayer, OutlineLayer
from app.widgets.level_legend import LevelLegend
from app.widgets.plain import label
from app.widgets.quality_chip import QualityChip
from app.widgets.result_bar import BAR_HEIGHT, ResultBar
from app.widgets.stage_pages import CardPage, StartTargetPage
from domain.labels import LabelMaps
from domain.study import Outcome
from workflows.look_labels import LookResult
from workflows.mask_editing import Mask


class StageFrame(QWidget):
    """Shows a phase; what leads from one to the next is a subclass's. close_asked: by the window system."""

    close_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._is_dismissed = False
        self._overlay: KeyOverlay | None = None
        self.phase = Phase.OPENING
        self.canvas = ImageCanvas(margin=0.0)
        self.seen = SeenLongEnough(self.canvas)
        self.card, self.start_target = CardPage(), StartTargetPage()

    def build(self, actions: ActionRegistry, slots: Mapping[str, Callable[[], object]]) -> None:
        """Put everything in its place. slots: what each action does, by its id."""
        self._actions = actions
        self.setWindowTitle(tr("Sightline"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._middle = QStackedWidget()
        for widget in (self.card, self.start_target, self.canvas):
            self._middle.addWidget(widget)
        self.result_bar = ResultBar(actions, slots)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        # The stage is as large as its screen; what it holds never asks for more.
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)
        column.addWidget(self._top_bar())
        column.addWidget(self._middle, 1)
        column.addWidget(self.result_bar)

    def show_phase(self, phase: Phase, *, words: str | None, note: str) -> None:
        """The page of this phase. words: which image it is, None where that stays. note: what else to know."""
        self.phase = phase
        page = self.start_target if phase in (Phase.START_TARGET, Phase.RECALLING) else self.card
        self._middle.setCurrentWidget(self.canvas if phase.shows_the_image else page)
        is_result = phase is Phase.RESULT
        self._chip.setVisible(is_result)
        self._legend.setVisible(is_result)
        self.result_bar.show_for(is_result=is_result, is_looking=phase is Phase.LOOKING)
        if words is not None:
            self._top_words.setText("" if phase.is_quiet else words)
        self._top_right.setText("" if phase.is_quiet else note)

    def put(self, card: Card) -> None:
        """Put these words on the card."""
        self.card.say(card.heading, card.words, card.keys, card.choices)

    def show_draft(self, maps: LabelMaps) -> None:
        """The levels of the heatmap, until the refined ones are there: dashed lines, and a word that says so."""
        self.canvas.set_layers(
            {
                f"level {number + 1}": OutlineLayer(level, level_colour(number), is_dashed=True)
                for number, level in enumerate(maps.levels)
            }
        )
        self.result_bar.remark.say(tr("Refining the mask…"))
        self.result_bar.remark.show()
        self.canvas.repaint()

    def show_result(self, result: LookResult, *, mask: Mask | None = None) -> None:
        """The mask on the image, how good the gaze was, and what may be done. mask: another than the look gave."""
        layers: dict[str, Layer] = {}
        levels = result.maps.levels
        for number in range(len(levels) - 1, 0, -1):
            colour = level_colour(number)
            layers[f"level {number + 1}"] = OutlineLayer(levels[number], colour, is_dashed=True)
        layers["mask"] = MaskLayer(levels[0] if mask is None else mask, level_colour(0))
        self.canvas.set_layers(layers)
        self._chip.show_result(result)
        counts = result.verdict != "stop"
        remark = ""
        if result.record.outcome is Outcome.NO_TARGET:
            remark = tr("You said: no target in this image.")
        if result.verdict == "warn":
            remark = tr("Backspace looks again.")
        if not counts:
            remark = tr("Enter looks again; F keeps it and flags it.")
        self.result_bar.remark.say(remark)
        has_mask = bool((levels[0] if mask is None else mask).any())
        self._legend.show_for(has_mask=has_mask, has_wider=any(level.any() for level in levels[1:]))
        self.result_bar.offer(counts=counts)

    def has_seen(self) -> bool:
        """Whether the mask has stood long enough to be decided about; a quiet word where it has not."""
        if not self.seen.is_enough:
            self.result_bar.remark.say(tr("That key came before the mask could be seen. Press it again to decide."))
        return self.seen.is_enough

    def show_keys(self) -> None:
        """All keys over the stage; never over an image that is looked at."""
        if self.phase is Phase.LOOKING:
            return
        if self._overlay is None:
            self._overlay = KeyOverlay(self._actions, self)
        self._overlay.open_for("annotate")

    def dismiss(self) -> None:
        """Take the window away for good."""
        self._is_dismissed = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        # A window that only vanished would leave its recording running, with nobody to take the samples in.
        if self._is_dismissed:
            event.accept()
        else:
            event.ignore()
            self.close_asked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(0, 0, 0))
        painter.end()

    def _top_bar(self) -> QFrame:
        self._top_words, self._top_right = label("", "muted"), label("", "muted")
        self._chip, self._legend = QualityChip(), LevelLegend()
        bar = QFrame()
        bar.setFixedHeight(BAR_HEIGHT)
        line = QHBoxLayout(bar)
        line.setContentsMargins(24, 0, 24, 0)
        line.setSpacing(28)
        line.addWidget(self._top_words)
        line.addWidget(self._chip, 1)
        line.addWidget(self._legend)
        line.addStretch(0)
        line.addWidget(self._top_right)
        return bar
