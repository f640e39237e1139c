"""The form on the tracker page: which tracker, which screen and how large, whom and how to calibrate."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from app.context import Services
from app.display_of_screen import display_of
from app.full_screen import screen_named
from app.texts import tr
from app.widgets.plain import button, label, line
from calibration.profiles import PROFILES, Profile, profile_of
from domain.display import Display
from workflows.find_trackers import FoundTracker

ALWAYS_THERE = (("simulated", "Simulated eye (no tracker needed)"), ("mouse", "Mouse pointer (to try things out)"))
CHANGED_MM = 0.6
"""Sizes are shown in whole millimetres; a smaller difference is rounding, not a change."""


class TrackerForm(QFrame):
    """Asks; remembers the geometry of each screen in the user's settings. It opens nothing."""

    wants_connection = Signal()
    wants_search = Signal()
    geometry_changed = Signal()

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.setProperty("role", "card")
        self.setFixedWidth(400)
        self.trackers, self.rates, self.screens = QComboBox(), QComboBox(), QComboBox()
        self.profiles, self.points = QComboBox(), QComboBox()
        self.width_mm, self.height_mm, self.distance_cm = (
            _spin(50, 3000, "mm"),
            _spin(50, 2000, "mm"),
            _spin(20, 200, "cm"),
        )
        self._found_words, self._px_words = label("", "small", wraps=True), label("", "small", wraps=True)
        self._build()
        self._connect_signals()
        self._reset_rates()

    # what stands on the form

    @property
    def driver(self) -> str:
        """The chosen driver."""
        return str(self.trackers.currentData()[0])

    @property
    def address(self) -> str:
        """Which tracker of that driver."""
        return str(self.trackers.currentData()[1])

    @property
    def rate_hz(self) -> float:
        """The chosen rate; 0 is the tracker's own."""
        return float(self.rates.currentData() or 0.0)

    @property
    def screen_name(self) -> str:
        """The chosen screen."""
        return self.screens.currentText()

    @property
    def display(self) -> Display:
        """That screen with the size and distance that were told."""
        return display_of(screen_named(self.screen_name), self.services.settings)

    @property
    def profile(self) -> Profile:
        """The chosen way of calibrating."""
        return profile_of(str(self.profiles.currentData()), n_points=int(self.points.currentData()))

    # what the page tells it

    def show_search(self) -> None:
        """A search is under way."""
        self._search.setEnabled(False)
        self._found_words.setText(tr("Looking for trackers…"))

    def show_found(self, found: list[FoundTracker]) -> None:
        """The trackers that can be reached; why others cannot stands in the tooltip."""
        self._search.setEnabled(True)
        chosen = self.trackers.currentData()
        known = {name for name, _ in ALWAYS_THERE}
        while self.trackers.count() > len(ALWAYS_THERE):
            self.trackers.removeItem(self.trackers.count() - 1)
        missing = []
        for one in found:
            if one.driver in known:
                continue
            if one.info is not None:
                self.trackers.addItem(one.text, (one.driver, one.info.address))
            else:
                missing.append(" ".join(tr(words) for words in (one.text, one.hint) if words))
        self.trackers.setCurrentIndex(max(0, self.trackers.findData(chosen)))
        n = self.trackers.count() - len(ALWAYS_THERE)
        words = tr("1 eye tracker found.") if n == 1 else tr("{n} eye trackers found.").format(n=n)
        self._found_words.setText(words if n else tr("No eye tracker was found. Is it plugged in?"))
        self._found_words.setToolTip("\n".join(missing))

    def show_search_failed(self, words: str) -> None:
        """The search itself failed."""
        self._search.setEnabled(True)
        self._found_words.setText(tr("The search for trackers failed: {why}").format(why=words))

    def show_connection(self, words: str, *, is_enabled: bool, is_first: bool) -> None:
        """What the connect button says; it is the main one until a tracker is there."""
        self.connect_button.setText(words)
        self.connect_button.setEnabled(is_enabled)
        role = "primary" if is_first else ""
        if self.connect_button.property("role") != role:
            self.connect_button.setProperty("role", role)
            self.connect_button.style().unpolish(self.connect_button)
            self.connect_button.style().polish(self.connect_button)

    def show_rates(self, rates_hz: tuple[float, ...]) -> None:
        """The rates of the tracker that was opened."""
        if self.rates.count() <= 1:
            for rate in rates_hz:
                self.rates.addItem(f"{rate:g} Hz", rate)

    def fill_screens(self) -> None:
        """List the screens there are now; the one used last comes first."""
        wanted = self.screens.currentText() or self.services.settings.annotate_screen
        self.screens.blockSignals(True)
        self.screens.clear()
        for screen in QGuiApplication.screens():
            self.screens.addItem(screen.name())
        self.screens.setCurrentIndex(max(0, self.screens.findText(wanted)))
        self.screens.blockSignals(False)
        self.show_geometry()

    def show_geometry(self) -> None:
        """Size and distance of the chosen screen as remembered."""
        display = self.display
        for spin, value in (
            (self.width_mm, display.size_mm[0]),
            (self.height_mm, display.size_mm[1]),
            (self.distance_cm, display.distance_mm / 10),
        ):
            spin.blockSignals(True)
            spin.setValue(round(value))
            spin.blockSignals(False)
        words = tr("{w} × {h} px, 1° is {deg:.0f} px.").format(
            w=display.size_px[0], h=display.size_px[1], deg=display.px_per_deg()[0]
        )
        if self.screen_name not in self.services.settings.screens_mm:
            words += " " + tr("Measure the picture area once with a ruler; it is remembered.")
        self._px_words.setText(words)

    def remember_geometry(self) -> None:
        """Keep what was told of this screen."""
        values = [float(self.width_mm.value()), float(self.height_mm.value()), self.distance_cm.value() * 10.0]
        shown = self.display
        before = [*shown.size_mm, shown.distance_mm]
        is_new = any(abs(a - b) > CHANGED_MM for a, b in zip(values, before, strict=True))
        if self.screen_name and (is_new or self.screen_name not in self.services.settings.screens_mm):
            self.services.settings.screens_mm[self.screen_name] = values
            self.services.settings.save()
        if is_new:
            self.geometry_changed.emit()
        self.show_geometry()

    # inside

    def _build(self) -> None:
        for driver, words in ALWAYS_THERE:
            self.trackers.addItem(tr(words), (driver, ""))
        known = [driver for driver, _ in ALWAYS_THERE]
        if self.services.settings.tracker in known:
            self.trackers.setCurrentIndex(known.index(self.services.settings.tracker))
        for box in (self.trackers, self.screens):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(12)
        for name in PROFILES:
            self.profiles.addItem(tr(name.capitalize()), name)
        for n in (5, 9, 2):
            self.points.addItem(tr("{n} points").format(n=n), n)
        self._search = button("", self.wants_search.emit, icon_name="repeat", tooltip=tr("Look for trackers again"))
        self._search.setAccessibleName(tr("Look for trackers again"))
        self.connect_button = button(tr("Connect"), self.wants_connection.emit, icon_name="tracker")
        self.services.actions.decorate(self.connect_button, "tracker.connect")

        inside = QVBoxLayout(self)
        inside.setContentsMargins(20, 20, 20, 20)
        inside.setSpacing(10)
        inside.addWidget(label(tr("Tracker"), "heading"))
        beside = QHBoxLayout()
        beside.setSpacing(8)
        beside.addWidget(self.trackers, 1)
        beside.addWidget(self._search)
        inside.addLayout(beside)
        inside.addWidget(self._found_words)
        inside.addLayout(_named(tr("Rate"), self.rates))
        inside.addWidget(self.connect_button)
        inside.addSpacing(6)
        inside.addWidget(line())
        inside.addWidget(label(tr("Screen"), "heading"))
        inside.addWidget(self.screens)
        inside.addLayout(self._geometry_grid())
        inside.addWidget(self._px_words)
        inside.addSpacing(6)
        inside.addWidget(line())
        inside.addWidget(label(tr("Calibration"), "heading"))
        inside.addLayout(_named(tr("For"), self.profiles))
        inside.addLayout(_named(tr("Targets"), self.points))
        inside.addStretch(1)

    def _geometry_grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        times = label("×", "muted")
        for place, widget in enumerate((label(tr("Picture area"), "muted"), self.width_mm, times, self.height_mm)):
            grid.addWidget(widget, 0, place)
        grid.addWidget(label(tr("Distance"), "muted"), 1, 0)
        grid.addWidget(self.distance_cm, 1, 1)
        grid.setColumnMinimumWidth(0, 80)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        return grid

    def _connect_signals(self) -> None:
        self.trackers.currentIndexChanged.connect(lambda _index: self._reset_rates())
        self.screens.currentIndexChanged.connect(lambda _index: self.show_geometry())
        self.profiles.currentIndexChanged.connect(lambda _index: self._on_profile())
        for spin in (self.width_mm, self.height_mm, self.distance_cm):
            spin.editingFinished.connect(self.remember_geometry)

    def _reset_rates(self) -> None:
        self.rates.clear()
        self.rates.addItem(tr("The tracker's own"), 0.0)

    def _on_profile(self) -> None:
        n = len(PROFILES[str(self.profiles.currentData())].points)
        self.points.setCurrentIndex(max(0, self.points.findData(n)))


def _spin(low: int, high: int, unit: str) -> QSpinBox:
    made = QSpinBox()
    made.setRange(low, high)
    made.setSuffix(f" {unit}")
    return made


def _named(words: str, widget: QWidget) -> QHBoxLayout:
    made = QHBoxLayout()
    name = label(words, "muted")
    name.setFixedWidth(80)
    made.addWidget(name)
    made.addWidget(widget, 1)
    return made
