"""How far the run is: a bar, and speed, time left, memory and Dice; hidden until a run begins."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from app.texts import tr
from app.widgets.plain import label
from training.messages import Event, number_of

_SLOW = 0.2  # steps in a second; below, the seconds of a step say more


class RunProgress(QWidget):
    """Told by the page what the run says."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = QProgressBar()
        self._bar.setRange(0, 1)
        facts = QHBoxLayout()
        facts.setSpacing(18)
        self._facts: dict[str, QLabel] = {}
        for name, words in (
            ("speed", tr("Speed")),
            ("eta", tr("Time left")),
            ("memory", tr("Memory")),
            ("dice", tr("Dice of the validation images")),
        ):
            self._facts[name] = label("", "muted")
            self._facts[name].setToolTip(words)
            self._facts[name].setAccessibleName(words)
            facts.addWidget(self._facts[name])
        facts.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._bar)
        column.addLayout(facts)
        self.hide()

    def begin(self) -> None:
        """A run is on its way."""
        for name in self._facts:
            self._show(name, "")
        self._bar.setRange(0, 0)
        self.show()

    def end(self, *, is_done: bool = False) -> None:
        """No time is left any more."""
        self._show("eta", "")
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
        rate = number_of(event, "it_per_s")
        is_slow = 0 < rate < _SLOW
        words = tr("{n:.0f} s a step").format(n=1 / rate) if is_slow else tr("{n:.1f} it/s").format(n=rate)
        self._show("speed", words)
        self._show("eta", tr("{time} left").format(time=_duration(number_of(event, "eta_s"))))
        memory = number_of(event, "memory_bytes")
        self._show("memory", f"{memory / 1e9:.1f} GB" if memory > 0 else "")

    def show_dice(self, dice: float) -> None:
        """The newest evaluation."""
        self._show("dice", f"Dice {dice:.3f}")

    def _show(self, name: str, words: str) -> None:
        self._facts[name].setText(words)
        self._facts[name].setVisible(bool(words))


def _duration(seconds: float) -> str:
    if seconds != seconds:
        return "–"
    if seconds < 90:
        return tr("{n:.0f} s").format(n=seconds)
    return tr("{n:.0f} min").format(n=seconds / 60)
