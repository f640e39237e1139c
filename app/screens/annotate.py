"""Before annotating: what is next, on which screen, with which tracker, in which mode; then the stage."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QGridLayout, QVBoxLayout, QWidget

from acquisition.tracker import TrackerSettings
from app.annotate_stage import AnnotateStage
from app.context import Services
from app.display_of_screen import display_of
from app.full_screen import screen_named
from app.recording_gate import ask_to_record
from app.screen import Screen, screens
from app.target_choice import list_targets
from app.texts import tr
from app.widgets.folding_box import FoldingBox
from app.widgets.next_image_card import NextImageCard
from app.widgets.plain import EmptyState, button, card, label, page
from workflows.annotate_images import AnnotationSession
from workflows.reading_order import order_facts
from workflows.worklist import WorklistRow, make_worklist, next_unfinished

_FOLDS_BELOW_PX = 900
_CARD_WIDTH = 720


@screens.register("annotate")
class AnnotateScreen(Screen):
    """The page from which the full-screen stage is opened."""

    title: ClassVar[str] = "Annotate"
    icon: ClassVar[str] = "eye"
    order: ClassVar[int] = 40

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.stage: AnnotateStage | None = None
        self._rows: list[WorklistRow] = []
        column, _head = page(self, tr("Annotate"), tr("Look at one image after the other; your gaze becomes the mask."))
        self._card, inside = card(margin=26, spacing=14)
        self._card.setMaximumWidth(_CARD_WIDTH)
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(12)
        grid.setColumnStretch(1, 1)
        self._targets, self._screens, self._modes = QComboBox(), QComboBox(), QComboBox()
        for box in (self._targets, self._screens, self._modes):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(18)
        self._next, self._tracker = label(""), label("", wraps=True)
        self._modes.addItem(tr("Continuous: from the image's appearance to Enter"), "continuous")
        self._modes.addItem(tr("Clutch: only while Space is held"), "clutch")
        for number, (words, widget) in enumerate(
            (
                (tr("Target"), self._targets),
                (tr("Next image"), self._next),
                (tr("Screen"), self._screens),
                (tr("Mode"), self._modes),
                (tr("Tracker"), self._tracker),
            )
        ):
            grid.addWidget(label(words, "muted"), number, 0)
            grid.addWidget(widget, number, 1)
        inside.addLayout(grid)
        inside.addSpacing(6)
        self._start = button(tr("Start"), self.start, role="primary", icon_name="play")
        self._start.setMinimumWidth(140)
        self._set_up = button(tr("Set up the tracker"), lambda: services.navigate("tracker"), icon_name="target")
        buttons = QGridLayout()
        buttons.addWidget(self._start, 0, 0)
        buttons.addWidget(self._set_up, 0, 1)
        buttons.setColumnStretch(2, 1)
        inside.addLayout(buttons)
        self._empty = EmptyState(
            "check", tr("Nothing is left to do here."), tr("Worklist"), lambda: services.navigate("worklist")
        )
        self.next_image = NextImageCard(services.open_study)
        self._body = FoldingBox(_FOLDS_BELOW_PX, spacing=18)
        for shown, stretch in ((self._card, 3), (self.next_image, 2)):
            holder = QWidget()
            holder.setMaximumWidth(_CARD_WIDTH)
            above = QVBoxLayout(holder)
            above.setContentsMargins(0, 0, 0, 0)
            above.addWidget(shown, 8 if shown is self.next_image else 0)
            above.addStretch(1)
            self._body.add(holder, stretch)
        column.addWidget(self._body, 4)
        column.addWidget(self._empty, 1)
        column.addStretch(1)
        self._modes.setCurrentIndex(max(0, self._modes.findData(services.settings.recording_mode)))
        self._targets.currentIndexChanged.connect(lambda _index: self._refresh())
        services.tracker_changed.connect(self._show_tracker)
        services.actions.bind(self, "annotate.go_on", self.start)

    def on_shown(self, **arguments: object) -> None:
        if self.stage is not None:
            self.stage.resume(screen_named(self._screens.currentText()))
            return
        list_targets(self._targets, self.services.open_study)
        target = arguments.get("target")
        if isinstance(target, str):
            self._targets.setCurrentText(target)
        self._fill_screens()
        self._show_tracker()
        self._refresh()
        first = arguments.get("image_id")
        if isinstance(first, str):
            self._put_first(first)
        if arguments.get("starts"):
            self.start()
        else:
            self._start.setFocus()

    def can_leave(self) -> bool:
        return self.stage is None or not self.stage.isVisible()

    def close_screen(self) -> None:
        self.next_image.close_source()
        if self.stage is not None:
            self._close_stage(waits=True)

    def start(self) -> None:
        """Open the stage on the chosen screen."""
        if self.stage is not None or not self._rows:
            return
        settings = self.services.settings
        settings.annotate_screen = self._screens.currentText()
        settings.recording_mode = str(self._modes.currentData())
        screen = screen_named(settings.annotate_screen)
        about = ask_to_record(self, self.services, display_of(screen, settings))
        if about is None:
            return
        session = AnnotationSession(
            self.services.open_study,
            self.services.annotator,
            self.tracker_settings(),
            host=self.services.host,
            calibration=self.services.tracker.calibration,
            # A correction belongs to the tracker as it was opened; one that is opened anew begins without.
            drift=self.services.tracker.drift if self.services.host is not None else None,
            about=about | order_facts(self.services.open_study, self.services.annotator, self._targets.currentText()),
        )
        is_clutch = settings.recording_mode == "clutch"
        stage = AnnotateStage(self.services, session, self._rows, self._targets.currentText(), clutch=is_clutch)
        self.stage = stage
        stage.left.connect(self._on_left)
        stage.wants_correction.connect(self._on_wants_correction)
        stage.open_on(screen)

    def tracker_settings(self) -> TrackerSettings:
        """The chosen tracker on the chosen screen."""
        choice = self.services.tracker
        known = dict(choice.settings)
        display = display_of(screen_named(self._screens.currentText()), self.services.settings)
        return TrackerSettings(driver=choice.name, display=display, **known)  # type: ignore[arg-type]  # from a form

    def _refresh(self) -> None:
        services = self.services
        rows = make_worklist(
            services.open_study, services.annotator, self._targets.currentText(), role=services.role
        ).rows
        following = next_unfinished(rows)
        open_rows = [row for row in rows if row.status.value in ("returned", "new", "in progress")]
        self._rows = sorted(open_rows, key=lambda row: row.status.value != "returned")
        self._body.setVisible(bool(self._rows))
        self._empty.setVisible(not self._rows)
        if following is not None:
            self._say_next(following)

    def _put_first(self, image_id: str) -> None:
        chosen = [row for row in self._rows if row.image_id == image_id]
        if not chosen:
            services = self.services
            everything = make_worklist(
                services.open_study, services.annotator, self._targets.currentText(), role=services.role
            ).rows
            chosen = [row for row in everything if row.image_id == image_id]
        self._rows = chosen + [row for row in self._rows if row.image_id != image_id]
        if chosen:
            self._body.show()
            self._empty.hide()
            self._say_next(chosen[0])

    def _say_next(self, row: WorklistRow) -> None:
        self._next.setText(tr("{name}, {n} still to do").format(name=row.shown_name, n=len(self._rows)))
        self.next_image.show_next(row, len(self._rows))

    def _fill_screens(self) -> None:
        self._screens.clear()
        for screen in QGuiApplication.screens():
            self._screens.addItem(screen.name())
        wanted = self._screens.findText(self.services.settings.annotate_screen)
        self._screens.setCurrentIndex(max(0, wanted))

    def _show_tracker(self) -> None:
        choice = self.services.tracker
        if choice.is_simulated:
            self._tracker.setText(tr("Simulated eye: nobody looks, and all gaze is marked as simulated"))
        elif choice.verdict:
            self._tracker.setText(f"{choice.serial or choice.name}: {choice.verdict}")
        else:
            self._tracker.setText(tr("{name} is not calibrated yet").format(name=choice.serial or choice.name))

    def _on_left(self) -> None:
        self._close_stage(waits=False)
        self.window().activateWindow()
        self.services.navigate("worklist")

    def _on_wants_correction(self, image_id: str) -> None:
        self.window().activateWindow()
        self.services.navigate("correct", image_id=image_id, target=self._targets.currentText(), back="annotate")

    def _close_stage(self, *, waits: bool) -> None:
        stage, self.stage = self.stage, None
        if stage is None:
            return
        stage.dismiss()
        session = stage.session
        if waits:
            session.close()
        else:
            self.services.tasks.start(tr("Saving the session"), lambda _report, _cancel: session.close())
        stage.deleteLater()
