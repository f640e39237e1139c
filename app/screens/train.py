"""Training: one button, live curves, and the history of runs."""

from __future__ import annotations

import json
import logging
import subprocess
from dataclasses import replace
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMessageBox, QScrollArea, QVBoxLayout, QWidget

from app.background_task import Task
from app.context import Services
from app.cost_question import CostQuestion
from app.label_choice_words import label_choice_words
from app.model_choice import ModelChoice
from app.screen import Screen, screens
from app.texts import tr
from app.widgets.new_run_card import NewRunCard
from app.widgets.plain import page
from app.widgets.run_history import RunHistory
from domain.events import CancelToken, OnProgress
from domain.study import Role
from training.messages import LAST_WORDS, Event, RunState, number_of
from training.prediction_of_cost import Estimate, suggested_preset
from training.supervisor import TrainingRun
from training.threads import threads_beside_a_window
from workflows.freeze_study import images_with_gaze
from workflows.interrupted_training import leave_stopped, take_up
from workflows.model_shelf import active_model, previous_model
from workflows.train_model import RunSummary, runs_of, start_training, training_config

_log = logging.getLogger(__name__)
POLL_MS = 150
CLOSE_AFTER_S = 10.0
_LEFT_WIDTH = 430
_SCROLL_BAR = 12
STATE_WORDS = {state: state.value for state in RunState}


@screens.register("train")
class TrainScreen(Screen):
    """Make a model of the study's labels."""

    title: ClassVar[str] = "Train"
    icon: ClassVar[str] = "train"
    order: ClassVar[int] = 90
    roles: ClassVar[frozenset[Role]] = frozenset({Role.ADMIN})

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        from app.widgets.run_views import RunViews  # here, since pyqtgraph would slow the start of the application

        self.run: TrainingRun | None = None
        self.changes: dict[str, Any] = {}
        """Settings that differ from the preset's; the command line names them."""
        self._threads = threads_beside_a_window()
        self._is_paused = False
        self._is_stopping = False
        self._is_busy = False
        self._n_labelled = 0
        self._preparation: Task | None = None
        column, _head = page(
            self, tr("Train"), tr("A model learns from the labels of this study. Everything stays on this computer.")
        )
        body = QHBoxLayout()
        body.setSpacing(18 - _SCROLL_BAR)
        aside = QWidget()
        left = QVBoxLayout(aside)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(14)
        self.card = NewRunCard(_LEFT_WIDTH)
        self.card.wants_start.connect(self.start)
        self.card.wants_pause.connect(self.pause)
        self.card.wants_stop.connect(self._ask_to_stop)
        self.card.preset_changed.connect(self._ask_cost)
        self.card.labels_changed.connect(self._show_sightline_command)
        left.addWidget(self.card)
        self.history = RunHistory()
        self.history.setFixedWidth(_LEFT_WIDTH)
        self.history.chosen.connect(self._show_run)
        self.history.wants_resume.connect(self._resume)
        left.addWidget(self.history, 1)
        self.views = RunViews()
        self.views.opened.connect(self._open_image)
        self.curves = self.views.curves
        self.history.compared.connect(self.views.compare)
        body.addWidget(_scrolled(aside), 0)
        body.addWidget(self.views, 1)
        column.addLayout(body, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS // 2)
        self._timer.timeout.connect(self._on_tick)
        self._is_turn_of_plots = False
        self._cost_question = CostQuestion(services, self)
        self._cost_question.answered.connect(self.card.show_cost)
        self._cost_question.estimated.connect(self._suggest)
        self.choice = ModelChoice(services, self)
        self.choice.said.connect(self.card.say)
        self.choice.busy.connect(self._set_busy)
        self.choice.changed.connect(self._show_history)
        self.history.wants_use.connect(self.choice.offer)
        self.history.wants_back.connect(self.choice.go_back)

    def on_shown(self, **arguments: object) -> None:
        self._show_data()
        self._show_history()
        resumed = arguments.get("resume")
        if isinstance(resumed, str) and self.run is None and not self._is_busy:
            self.history.choose(resumed)
            if self.history.run is not None and self.history.run.name == resumed:
                self._resume(self.history.run)
                return
        if self.run is None:
            self._show_run(self.history.run)
            self._ask_cost()

    def on_hidden(self) -> None:
        self._cost_question.stop()

    @property
    def settings(self) -> dict[str, Any]:
        """What a run from this page changes of its preset: one processor stays with the window."""
        return {"threads": self._threads, **self.changes}

    def close_screen(self) -> None:
        self._timer.stop()
        self._cost_question.stop()
        if self.run is not None and self.run.is_alive:
            self.run.stop()  # a stopped run has its checkpoint and can be resumed
            try:
                self.run.wait(CLOSE_AFTER_S)
            except TimeoutError:
                # It heard the stop, and hears the end of this process: it saves and ends without us.
                _log.warning("the training in %s is still being saved", self.run.folder.folder)

    def under_way(self) -> str:
        if self._preparation is not None:
            return tr("A training is being prepared.")
        if self.run is not None and self.run.is_alive:
            return tr("A training is under way. It is stopped with a checkpoint and can be resumed later.")
        return ""

    # what the user does

    def start(self) -> None:
        """Freeze the study and train on it."""
        study, preset_name = self.services.open_study, self.card.preset_name
        chooses_labels, changes = self.card.chooses_labels.isChecked(), self.settings
        self._cost_question.stop()
        self._show_sightline_command()
        self._set_busy(True)
        self.card.say(tr("Taking a snapshot of the study…"), "")
        self.card.remark("")
        self.views.clear()
        made: list[TrainingRun] = []

        def prepare(report: OnProgress, cancel: CancelToken) -> None:
            made.append(
                start_training(
                    study,
                    preset_name=preset_name,
                    changes=changes,
                    chooses_labels=chooses_labels,
                    on_progress=report,
                    cancel=cancel,
                )
            )

        task = self.services.tasks.start(tr("Preparing the training"), prepare, on_failed=self._on_refused)
        task.ended.connect(lambda: self._on_prepared(made, was_stopped=task.cancel_token.is_cancelled))
        self._preparation = task
        self._show_buttons()

    def pause(self) -> None:
        """Give the machine back for a while, or go on."""
        if self.run is not None:
            (self.run.resume if self._is_paused else self.run.pause)()

    def stop(self) -> None:
        """Stop at the next step; the run can be resumed later. What is being prepared is given up."""
        if self._preparation is not None:
            self._is_stopping = True
            self.card.say(tr("Stopping…"), "warn")
            self._preparation.cancel()
            self._show_buttons()
        elif self.run is not None:
            self._is_stopping = True
            self.card.say(tr("Stopping…"), "warn")
            self.run.stop()
            leave_stopped(self.run.folder.folder)

    def _ask_to_stop(self) -> None:
        if self._preparation is not None:
            self.stop()  # nothing was learnt yet
            return
        box = QMessageBox(
            QMessageBox.Icon.Question,
            tr("Sightline"),
            tr("Stop this training?"),
            QMessageBox.StandardButton.NoButton,
            self,
        )
        box.setInformativeText(tr("What was learnt so far is kept; the run can be resumed."))
        stops = box.addButton(tr("Stop"), QMessageBox.ButtonRole.DestructiveRole)
        stays = box.addButton(tr("Go on training"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stays)
        stops.clicked.connect(self.stop)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    # what the run says

    def _on_prepared(self, made: list[TrainingRun], *, was_stopped: bool) -> None:
        self._preparation = None
        if made:
            self._on_started(made[0])
            if was_stopped:
                self.stop()  # it was on its way already
        elif was_stopped:
            self._is_busy = self._is_stopping = False
            self.card.say(tr("Stopped before the training began."), "warn")
            self._show_buttons()

    def _on_started(self, run: TrainingRun) -> None:
        self.run = run
        self._is_paused = self._is_stopping = self._is_busy = False
        self.card.progress.begin()
        self.card.remark(label_choice_words(run.folder.folder))
        self._timer.start()
        self._show_buttons()
        self._show_history()

    def _on_refused(self, error: BaseException) -> None:
        self._is_busy = False
        self.card.say(tr("This study cannot be trained yet."), "warn")
        self._show_buttons()
        self.services.show_error(error)

    def _on_tick(self) -> None:
        """Words and bar at one tick, a plot at the next: no frame paints both."""
        if self._is_turn_of_plots:
            self.curves.refresh()
        else:
            self._poll()
        self._is_turn_of_plots = not self._is_turn_of_plots

    def _poll(self) -> None:
        if self.run is None:
            return
        has_ended = self.run.has_ended
        events = self.run.poll()
        for event in events:
            self._take(event)
        # After its last word a worker has nothing to lose: nobody waits for the end of its process.
        if has_ended or any(event.get("event") in LAST_WORDS for event in events):
            self._timer.stop()
            name, is_done, self.run = self.run.folder.folder.name, self.run.state is RunState.DONE, None
            self.card.progress.end(is_done=is_done)
            self._show_buttons()
            self._show_history()
            self.history.choose(name)
            self._show_run(self.history.run)
            self._show_sightline_command()

    def _take(self, event: Event) -> None:
        handler = getattr(self, f"_on_{event.get('event')}", None)
        if handler is not None:
            handler(event)

    def _on_state(self, event: Event) -> None:
        state = RunState(str(event["state"]))
        self._is_paused = state is RunState.PAUSED
        look = {RunState.DONE: "good", RunState.FAILED: "bad", RunState.STOPPED: "warn", RunState.PAUSED: "warn"}
        self.card.say(tr(STATE_WORDS[state]).capitalize(), look.get(state, ""))
        self._show_line(state, int(event.get("step") or 0))
        self._show_buttons()

    def _on_progress(self, event: Event) -> None:
        # In words: the bar is that of the steps, and does not go back.
        n, total = int(event.get("done") or 0), int(event.get("total") or 0)
        if self.run is not None and total and not self._is_stopping:
            state = tr(STATE_WORDS[self.run.state]).capitalize()
            self.card.say(tr("{state}: {n} of {total}").format(state=state, n=n, total=total), "")

    def _on_estimate(self, event: Event) -> None:
        self.card.show_cost(str(event.get("text", "")))

    def _on_finding(self, event: Event) -> None:
        self.card.remark(f"{event.get('message', '')} {event.get('hint', '')}".strip(), is_more=True)

    def _on_step(self, event: Event) -> None:
        step, total = int(event["step"]), int(event["total"])
        self.card.progress.show_step(event)
        self.card.say(tr("Training: step {step} of {total}").format(step=step, total=total), "")
        self.curves.add_step(event)

    def _on_evaluation(self, event: Event) -> None:
        step, dice = int(event["step"]), number_of(event, "dice")
        self.curves.add_dice(str(event.get("split", "val")), step, dice)
        self.card.progress.show_dice(dice)
        if self.run is not None:
            self._show_line(self.run.state, step, dice)

    def _on_preview(self, event: Event) -> None:
        if self.run is not None:
            self.curves.show_pictures(self.run.folder.folder, [str(name) for name in event.get("files") or []])

    def _on_failed(self, event: Event) -> None:
        self.card.say(tr("Failed: {reason}").format(reason=event.get("reason", "")), "bad")
        self.card.remark(str(event.get("hint", "")))

    def _on_done(self, event: Event) -> None:
        self.card.say(tr("Done. The model is ready."), "good")

    def _on_saving(self, event: Event) -> None:
        self.card.say(tr("Stopping… Step {step} is being saved.").format(step=event.get("step", 0)), "warn")

    def _on_stopped(self, event: Event) -> None:
        self.card.say(tr("Stopped at step {step}; it can be resumed.").format(step=event.get("step", 0)), "warn")

    # what it will cost, and how to do it without this window

    def _ask_cost(self) -> None:
        study, name = self.services.open_study, self.card.preset_name
        self._show_sightline_command()
        self._cost_question.ask(lambda: training_config(study, name, self.settings), self._n_labelled)

    def _suggest(self, estimate: Estimate) -> None:
        """The first answer tells which device is here: the preset follows it until the user chooses one."""
        name, why = suggested_preset(self._n_labelled, has_gpu=estimate.has_gpu)
        self.card.suggest(name, why)

    def _show_sightline_command(self) -> None:
        folder = str(self.services.open_study.folder)
        words = ["sightline", "train", folder, "--preset", self.card.preset_name]
        words += ["--labels", "auto"] if self.card.chooses_labels.isChecked() else []
        for name, value in self.settings.items():
            words += ["--set", f"{name}={json.dumps(value)}"]
        self.card.show_command(subprocess.list2cmdline(words))

    # earlier runs and their models

    def _show_run(self, run: RunSummary | None) -> None:
        """A run of before."""
        if run is not None and self.run is None and not self._is_busy:
            self.views.show_run(run)

    def _open_image(self, image_id: str) -> None:
        target = self.services.open_study.settings.targets[0].name
        self.services.navigate("correct", image_id=image_id, target=target, back="train")

    def _resume(self, run: RunSummary) -> None:
        """Go on from the newest checkpoint."""
        self._show_run(run)
        self._cost_question.stop()
        folder = str(self.services.open_study.folder)
        self.card.show_command(subprocess.list2cmdline(["sightline", "train", folder, "--resume", run.name]))
        take_up(run.folder)
        self._set_busy(True)
        self.card.say(tr("Resuming {name}…").format(name=run.name), "")
        self.services.tasks.start(
            tr("Resuming the training"),
            lambda _report, _cancel: TrainingRun.start_again(run.folder),
            on_done=self._on_started,
            on_failed=self._on_refused,
        )

    # inside

    def _show_line(self, state: RunState, step: int, dice: float | None = None) -> None:
        if self.run is not None:
            self.history.show_progress(self.run.folder.folder.name, state, step, dice)

    def _set_busy(self, is_busy: bool) -> None:
        self._is_busy = is_busy
        self._show_buttons()

    def _show_data(self) -> None:
        study = self.services.open_study
        n_labelled = self._n_labelled = len(images_with_gaze(study))
        n_images = len(study.images())
        words = tr("{n} of {total} images have gaze labels.").format(n=n_labelled, total=n_images)
        if study.settings.is_simulated:
            words += " " + tr("The gaze of this study is simulated.")
        self.card.show_data(words)
        self._show_buttons()

    def _show_buttons(self) -> None:
        is_running = self.run is not None and self.run.is_alive
        learns_from_gaze = self.settings.get("supervision", "gaze") == "gaze"
        self.card.allow(
            is_running=is_running,
            is_busy=self._is_busy,
            is_paused=self._is_paused,
            is_stopping=self._is_stopping,
            is_preparing=self._preparation is not None,
            why_not=tr("Nothing to learn from yet: annotate images first.")
            if learns_from_gaze and not self._n_labelled
            else "",
        )
        self.history.allow(is_busy=is_running or self._is_busy)

    def _show_history(self) -> None:
        study = self.services.open_study
        active, previous = active_model(study), previous_model(study)
        self.history.show_models(active.stem if active else "", previous.stem if previous else "")
        self.history.show_runs([self._as_it_is(run) for run in runs_of(study)])

    def _as_it_is(self, run: RunSummary) -> RunSummary:
        """The run that goes on tells its state itself; its files tell it later."""
        if self.run is None or run.name != self.run.folder.folder.name:
            return run
        step = int(self.run.last.get("step", {}).get("step") or 0)
        return replace(run, state=self.run.state, step=max(step, run.step))


def _scrolled(widget: QWidget) -> QScrollArea:
    """All of it also on a small screen with large letters."""
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFixedWidth(_LEFT_WIDTH + _SCROLL_BAR)
    return area
