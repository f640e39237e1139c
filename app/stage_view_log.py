"""Every change of the view while an image is looked at goes to the recording, so that gaze can be mapped right."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from app.texts import tr
from app.widgets.image_canvas import ImageCanvas
from workflows.annotate_images import AnnotationSession


class StageViewLog(QObject):
    """Watches a canvas. is_looking: asked whether gaze is recorded. say: shows a remark beside the image."""

    def __init__(
        self,
        canvas: ImageCanvas,
        session: AnnotationSession,
        is_looking: Callable[[], bool],
        say: Callable[[str], object],
    ) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._session = session
        self._is_looking = is_looking
        self._say = say
        canvas.view_changed.connect(lambda _view: self._on_changed())
        canvas.window_changed.connect(lambda _window: self._on_changed())
        canvas.unreadable.connect(lambda problem: self._say(str(problem)))

    def _on_changed(self) -> None:
        view = self._canvas.screen_view()
        if view is None or not self._is_looking():
            return
        window = self._canvas.grey_window
        payload = {"window": list(window) if window is not None else None, "inverted": self._canvas.is_inverted}
        self._session.change_view(view, payload=payload)
        self._tell_slice(view.slice_index)

    def _tell_slice(self, slice_index: int) -> None:
        home, pixels = self._canvas.home_slice, self._canvas.pixels
        if home is None or pixels is None:
            return
        words = tr("Slice {n} of {total}: gaze counts on slice {home} only").format(
            n=slice_index + 1, total=pixels.n_slices, home=home + 1
        )
        self._say("" if self._canvas.is_on_home_slice else words)
