"""What a training will take, asked beside the window before it is started."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from app.background_task import Task
from app.context import Services
from app.texts import tr
from training.config import TrainConfig
from training.prediction_of_cost import Estimate, predicted_cost

ASK_AFTER_MS = 600


class CostQuestion(QObject):
    """Asks a moment after it is told to, so that whoever passes by the page does not start a process."""

    answered = Signal(str)
    estimated = Signal(object)

    def __init__(self, services: Services, parent: QObject) -> None:
        super().__init__(parent)
        self._services = services
        self._make_config: Callable[[], TrainConfig] | None = None
        self._n_images = 0
        self._task: Task | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(ASK_AFTER_MS)
        self._timer.timeout.connect(self._ask)

    def ask(self, make_config: Callable[[], TrainConfig], n_images: int) -> None:
        """Predict for a run on so many images; what was asked before does not count any more."""
        self.stop()
        self._make_config, self._n_images = make_config, n_images
        self.answered.emit("")
        if n_images:
            self._timer.start()

    def stop(self) -> None:
        """Nobody wants to know any more."""
        is_open = self._timer.isActive() or (self._task is not None and not self._task.is_over)
        self._timer.stop()
        if self._task is not None and not self._task.is_over:
            self._task.cancel()
        self._task = None
        if is_open:
            self.answered.emit("")  # no answer comes any more

    def _ask(self) -> None:
        if self._make_config is None:
            return
        config, n_images = self._make_config(), self._n_images
        self.answered.emit(tr("Asking what it will take…"))
        self._task = self._services.tasks.start(
            "",
            lambda _report, cancel: predicted_cost(config, n_images, cancel=cancel),
            on_done=self._on_answer,
            on_failed=lambda error: self.answered.emit(str(error)),
        )

    def _on_answer(self, estimate: Estimate) -> None:
        self.answered.emit(tr("Predicted: {text}").format(text=estimate.text))
        self.estimated.emit(estimate)
