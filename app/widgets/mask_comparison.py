"""Several masks of one image: over one another, side by side with linked views, or one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.widgets.image_canvas import ImageCanvas
from app.widgets.layers import Layer, MaskLayer, OutlineLayer
from app.widgets.plain import label
from app.widgets.viewed_image import Viewable
from domain.view import ImageView

OVERLAY, SIDE_BY_SIDE, FLICKER = "overlay", "side by side", "one at a time"
MODES = (OVERLAY, SIDE_BY_SIDE, FLICKER)
MOST_BESIDE = 4
PREVIEW_COLOUR = "#FFFFFF"
ONLY_BEFORE_COLOUR, ONLY_NOW_COLOUR = "#E69F00", "#56B4E9"

Mask = NDArray[np.bool_]


class MaskComparison(QWidget):
    """One canvas, or as many as masks are shown beside one another; `canvas` is the first and always there."""

    def __init__(self) -> None:
        super().__init__()
        self.canvas = ImageCanvas()
        self.canvas.tells_slice = True
        self.mode = OVERLAY
        self.chosen = 0
        self._others: list[ImageCanvas] = []
        self._masks: list[Mask] = []
        self._colours: list[str] = []
        self._preview: Mask | None = None
        self._past: Mask | None = None
        self._is_alone = False
        self._is_linking = False
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.setSpacing(2)
        self._captions: list[QLabel] = []
        self._holders: list[QWidget] = []
        self._names: list[str] = []
        self._add(self.canvas)
        self.canvas.view_changed.connect(self._on_view_changed)

    @property
    def n_masks(self) -> int:
        """How many masks the case has."""
        return len(self._masks)

    def show_case(
        self,
        pixels: Viewable | None,
        masks: Sequence[Mask],
        colours: Sequence[str],
        names: Sequence[str],
        *,
        home_slice: int | None = None,
    ) -> None:
        """Another image with its masks, and whose they are. home_slice: the slice of a stack that they belong to."""
        self._masks, self._colours, self._names = list(masks), list(colours), list(names)
        self.chosen, self._preview, self._past = 0, None, None
        self.canvas.set_pixels(pixels, home_slice=home_slice)
        for other in self._others:
            other.set_pixels(pixels, home_slice=home_slice)
        self._arrange()

    def choose(self, number: int) -> None:
        """Show the n-th mask before the others."""
        self.chosen, self._past = number, None
        self._draw()

    def set_mode(self, mode: str) -> None:
        """One of MODES."""
        self.mode = mode
        self._arrange()

    def set_alone(self, is_alone: bool) -> None:
        """Only the first canvas, for editing; its layers are the caller's until then."""
        self._is_alone = is_alone
        self._arrange()

    def set_preview(self, mask: Mask | None) -> None:
        """Show a mask that is not stored yet, the others as outlines."""
        self._preview = mask
        self._draw()

    def set_past(self, mask: Mask | None) -> None:
        """Show how an older version of the chosen mask differs from the newest; None ends that."""
        was_shown, self._past = self._past is not None, mask
        if was_shown or mask is not None:
            self._arrange()

    def _arrange(self) -> None:
        is_beside = self.mode == SIDE_BY_SIDE and not self._is_alone and self._past is None
        wanted = max(0, min(len(self._masks), MOST_BESIDE) - 1) if is_beside else 0
        while len(self._others) > wanted:
            self._others.pop()
            self._captions.pop()
            holder = self._holders.pop()
            self._line.removeWidget(holder)
            holder.deleteLater()
        while len(self._others) < wanted:
            other = ImageCanvas()
            other.set_pixels(self.canvas.pixels, home_slice=self.canvas.home_slice)
            self._others.append(other)
            self._add(other)
        for number, caption in enumerate(self._captions):
            caption.setVisible(bool(self._others))
            caption.setText(self._names[number] if number < len(self._names) else "")
        self._draw()

    def _add(self, canvas: ImageCanvas) -> None:
        """A canvas under the name of whose mask it shows: colour alone would not say it to everybody."""
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        caption = label("", "muted")
        caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
        caption.setFixedHeight(30)
        caption.hide()
        column.addWidget(caption)
        column.addWidget(canvas, 1)
        self._captions.append(caption)
        self._holders.append(holder)
        self._line.addWidget(holder, 1)

    def _draw(self) -> None:
        if self._is_alone:
            return
        if self._past is not None and self._masks:
            newest = self._masks[self.chosen]
            self.canvas.set_layers(
                {
                    "only before": MaskLayer(self._past & ~newest, ONLY_BEFORE_COLOUR),
                    "only now": MaskLayer(newest & ~self._past, ONLY_NOW_COLOUR),
                    "before": OutlineLayer(self._past, PREVIEW_COLOUR, is_dashed=True),
                }
            )
            return
        if self._others:
            for number, canvas in enumerate([self.canvas, *self._others]):
                canvas.set_layers({"mask": self._layer(number), **self._preview_layer()})
            return
        layers: dict[str, Layer] = {}
        if self.mode == OVERLAY:
            for number, mask in enumerate(self._masks):
                if number != self.chosen:
                    layers[f"mask {number}"] = OutlineLayer(mask, self._colours[number])
        if self._masks:
            layers["chosen"] = self._layer(self.chosen)
        self.canvas.set_layers({**layers, **self._preview_layer()})

    def _layer(self, number: int) -> Layer:
        kind = MaskLayer if self._preview is None else OutlineLayer
        return kind(self._masks[number], self._colours[number])

    def _preview_layer(self) -> dict[str, Layer]:
        return {} if self._preview is None else {"preview": MaskLayer(self._preview, PREVIEW_COLOUR)}

    def _on_view_changed(self, view: ImageView | None) -> None:
        if view is None or self._is_linking:
            return
        self._is_linking = True
        for other in self._others:
            if other.view is not None and other.view.image_size == view.image_size:
                other.set_view(view)
        self._is_linking = False
