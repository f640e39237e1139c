"""How far the run is: a bar, and speed, time left, memory and Dice; hidden until a run begins."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from app.texts import tr
from app.widgets.plain import label
from training.messages import Event, number_of


class RunProgress(QWidget):
    """Told by the page what the run says."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = QProgressBar()
        self._bar.setRange(0, 1)
        facts = QGridLayout()
        facts.setHorizontalSpacing(18)
        self._facts: dict[str, QLabel] = {}
        for number, (name, words) in enumerate(
            (("speed", tr("Speed")), ("eta", tr("Time left")), ("memory", tr("Memory")), ("dice", "Dice"))
        ):
            facts.addWidget(label(words, "small"), 0, number)
            self._facts[name] = label("–")
            facts.addWidget(self._facts[name], 1, number)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._bar)
        column.addLayout(facts)
        self.hide()

    def begin(self) -> None:
        """A run is on its way."""
        for words in self._facts.values():
            words.setText("–")
        self._bar.setRange(0, 0)
        self.show()

    def end(self, *, is_done: bool = False) -> None:
        """No time is left any more."""
        self._facts["eta"].setText("–")
        if is_done or self._bar.maximum() == 0:
            self._bar.setRange(0, 1)
            self._bar.setValue(int(is_done))

    def show_share(self, done: int, total: int) -> None:
        """So many of so many; 0 of 0 where nobody knows."""
        self._bar.setRange(0, total)
        self._bar.setValue(done)

    def show_step(self, event: Event) -> None:
        """One step event of the run."""
        self.show_share(int(event["step"]), int(event["total"]))
        self._facts["speed"].setText(tr("{n:.1f} it/s").format(n=number_of(event, "it_per_s")))
        self._facts["eta"].setText(_duration(number_of(event, "eta_s")))
        memory = number_of(event, "memory_bytes")
        self._facts["memory"].setText(f"{memory / 1e9:.1f} GB" if memory > 0 else "–")

    def show_dice(self, dice: float) -> None:
        """The newest evaluation."""
        self._facts["dice"].setText(f"{dice:.3f}")


def _duration(seconds: float) -> str:
    if seconds != seconds:
        return "–"
    if seconds < 90:
        return tr("{n:.0f} s").format(n=seconds)
    return tr("{n:.0f} min").format(n=seconds / 60)
