"""Putting a trained model into use: compared with the one before on reviewed masks, by choice, and one click back."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from app.context import Services
from app.texts import tr
from training.run_folder import RunFolder
from workflows.model_comparison import Comparison, compared
from workflows.model_shelf import activate, active_model, roll_back
from workflows.train_model import RunSummary


class ModelChoice(QObject):
    """Asks and does. said: words and their state for the page; busy: whether models are being compared."""

    said = Signal(str, str)
    busy = Signal(bool)
    changed = Signal()

    def __init__(self, services: Services, page: QWidget) -> None:
        super().__init__(page)
        self._services = services
        self._page = page
        self.question: QMessageBox | None = None
        self._offered: RunSummary | None = None

    def offer(self, run: RunSummary) -> None:
        """Score the model and the one in use on the same reviewed masks, then ask."""
        before = active_model(self._services.open_study)
        self._offered = run
        self.busy.emit(True)
        self.said.emit(tr("Comparing on reviewed masks…"), "")
        self._services.tasks.start(
            tr("Comparing models"),
            lambda _report, cancel: compared(run.folder, before=before, cancel=cancel),
            on_done=self._on_compared,
            on_failed=self._on_not_compared,
        )

    def use(self, run: RunSummary) -> None:
        """Make it the study's model."""
        activate(self._services.open_study, RunFolder(run.folder).model)
        self.said.emit(tr("The model of {name} is in use.").format(name=run.name), "good")
        self.changed.emit()

    def go_back(self) -> None:
        """One click: the model of before."""
        model = roll_back(self._services.open_study)
        in_use = tr("The model of {name} is in use again.").format(name=model.stem) if model is not None else ""
        self.said.emit(in_use or tr("No model is in use."), "")
        self.changed.emit()

    def _on_compared(self, found: Comparison) -> None:
        if self._offered is not None:
            self._ask(self._offered, comparison_words(found))

    def _on_not_compared(self, error: BaseException) -> None:
        # Without a comparison the choice is still the user's.
        if self._offered is not None:
            self._ask(self._offered, tr("There is no comparison: {why}").format(why=error))

    def _ask(self, run: RunSummary, words: str) -> None:
        self.busy.emit(False)
        self.said.emit(words, "")
        box = QMessageBox(
            QMessageBox.Icon.Question,
            tr("Sightline"),
            tr("Use the model of {name}?").format(name=run.name),
            QMessageBox.StandardButton.NoButton,
            self._page,
        )
        box.setInformativeText(words)
        uses = box.addButton(tr("Use it"), QMessageBox.ButtonRole.AcceptRole)
        stays = box.addButton(tr("Leave it as it is"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stays)
        uses.clicked.connect(lambda: self.use(run))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.destroyed.connect(self._on_closed)
        self.question = box
        box.open()

    def _on_closed(self) -> None:
        self.question = None


def comparison_words(found: Comparison) -> str:
    """Before and after in words."""
    masks = tr("{n} reviewed masks").format(n=found.n_images) if found.n_images != 1 else tr("1 reviewed mask")
    if found.before is None or found.gain is None:
        words = tr("Dice {after:.3f} on {masks}. No model is in use yet.")
        return words.format(after=found.after, masks=masks)
    words = tr(
        "Dice before {before:.3f}, after {after:.3f} on {masks}: {gain:+.3f} (95 % interval {low:+.3f} to {high:+.3f})."
    )
    said = words.format(
        before=found.before, after=found.after, masks=masks, gain=found.gain, low=found.gain_low, high=found.gain_high
    )
    return said if found.is_not_worse else f"{said} {tr('The new model is worse.')}"
