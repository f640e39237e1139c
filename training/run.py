"""One run from its folder to its model: check, cache, train, finish; obeys commands between steps."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from domain.errors import BadFileError, Cancelled, UserFacingError
from domain.events import OnProgress, Progress
from storage.snapshot_file import Snapshot, read_snapshot
from training.checkpoint_writer import CheckpointWriter
from training.checkpoints import Checkpoints
from training.data_cache import DataCache, build_cache
from training.device import Place, make_repeatable, memory_in_use, pick_place
from training.engine import Engine
from training.evaluation import evaluate, write_previews, write_worst
from training.finding import refuse_if_fatal
from training.finishing import write_model
from training.interruption import Interruption, StepAbandoned
from training.messages import RunState
from training.multi_level import MultiLevelNet
from training.parallel import Team, join_team
from training.prediction import Predictor
from training.preflight import check
from training.run_folder import MetricsFile, RunFolder, write_json
from training.self_training import load_or_make_labels
from training.supervision import trainable
from training.weights import load_start_weights
from training.worker import Ears, Voice

_log = logging.getLogger(__name__)

_REPORT_S = 0.1
_PREVIEW_S = 20.0
# Where a step takes long, hundreds of them are hours: a run that is killed loses no more than this and a step. Shorter
# would wear out a disk: half a gigabyte each time, for days.
_KEEP_S = 300.0


class Run:
    """Drives an engine; everything it knows of the outside world is the voice, the ears and the folder."""

    def __init__(self, folder: Path, voice: Voice, ears: Ears, *, is_resumed: bool) -> None:
        self.paths = RunFolder(folder)
        self.voice = voice
        self.ears = ears
        self.is_resumed = is_resumed
        self.record = self.paths.read()
        self.config = self.paths.config()
        self.checkpoints = Checkpoints(self.paths.checkpoints)
        self.writer = CheckpointWriter(self.checkpoints, self._on_written)
        self.team: Team = join_team(self.config)
        self._finish_early = False
        self._early_commands: list[str] = []
        self._previewed = 0.0
        self._kept = 0.0

    def execute(self) -> None:
        """The whole run.

        Raises:
            UserFacingError: refused, with the reason.
            Cancelled: stopped; a checkpoint was written.
        """
        with self.team:
            make_repeatable(self.config)
            place = pick_place(self.config, local_rank=self.team.local_rank)
            snapshot = self._snapshot()
            cache = self._cache(snapshot)
            engine = self._engine(cache, place)
            if self.config.compile and not self.config.deterministic and place.device.type == "cuda":
                self.voice.enter(RunState.COMPILING, "the first steps take longer")
                engine.compile()
            self._tell_machine(engine)
            # From here on there is something to keep.
            self.ears.stay()
            try:
                self._train(engine, snapshot)
                if self.team.is_first:
                    self._finish(engine, snapshot)
            finally:
                self.writer.wait()

    def _snapshot(self) -> Snapshot:
        self.voice.enter(RunState.VALIDATING)
        snapshot = read_snapshot(Path(self.record["snapshot"]))
        if snapshot.digest != self.record["snapshot_digest"]:
            raise BadFileError(
                f"{snapshot.folder} is not the snapshot this run began with.", "Start a new run on the new snapshot."
            )
        if not self._has_begun() and self.team.is_first:
            findings = check(snapshot, self.config, on_progress=self._tell)
            for finding in findings:
                self.voice.say(
                    event="finding",
                    kind=finding.kind,
                    message=finding.message,
                    hint=finding.hint,
                    items=list(finding.items[:50]),
                    is_fatal=finding.is_fatal,
                )
            refuse_if_fatal(findings)
        return snapshot

    def _cache(self, snapshot: Snapshot) -> DataCache:
        self.voice.enter(RunState.CACHING)
        items = trainable(snapshot, self.config)
        threads = self.config.threads or max(1, min(8, torch.get_num_threads()))
        return build_cache(snapshot, items, self.config, n_threads=threads, on_progress=self._tell)

    def _has_begun(self) -> bool:
        """Whether steps were done before: a run that was refused, or stopped while it was checked, is checked again."""
        return self.is_resumed and self.checkpoints.newest_step() >= 0

    def _engine(self, cache: DataCache, place: Place) -> Engine:
        """A new engine, or one that goes on from the newest checkpoint."""
        stored = self.checkpoints.load() if self.is_resumed else None
        if self.team.is_first:
            self.checkpoints.remove_drafts()
        net = MultiLevelNet(self.config)
        if stored is None:
            load_start_weights(net, self.config)
        engine = Engine(self.config, cache, place, share=self.team.share, net=net)
        if stored is not None:
            engine.load_state(stored.tensors, stored.description)
        elif self.is_resumed:
            _log.info("no checkpoint yet: beginning at step 0")
        self.team.check_same(engine.step)
        self.voice.step = self.writer.step = engine.step
        if not engine.state_is_copied:
            engine.before_update = self.writer.wait
        return engine

    def _tell_machine(self, engine: Engine) -> None:
        place = engine.place
        self.voice.say(
            event="machine",
            device=place.name,
            precision=place.precision,
            threads=torch.get_num_threads(),
            micro_batch=engine.micro_batch,
            processes=self.team.share.world,
            torch=str(torch.__version__),
        )

    def _train(self, engine: Engine, snapshot: Snapshot) -> None:
        metrics = self._metrics(engine)
        self.voice.enter(RunState.TRAINING)
        began, first_step, told, is_second_round = time.monotonic(), engine.step, 0.0, False
        self._kept = began
        # A GPU is through a step before anybody notices; several processes end their step together.
        is_stoppable = engine.place.device.type == "cpu" and self.team.share.world == 1
        interruption = Interruption(engine.net if is_stoppable else None, lambda: self.ears.is_told_to_stop)
        try:
            while engine.step < self.config.total_steps:
                self._obey(engine, snapshot)
                if self._finish_early:
                    break
                if engine.step >= self.config.steps and not is_second_round:
                    engine.cache = load_or_make_labels(engine, self.paths.checkpoints, self.team)
                    is_second_round = True
                try:
                    with interruption.armed():
                        parts = engine.train_step()
                except StepAbandoned:
                    continue  # the command that it was given up for comes next
                self.voice.step = engine.step
                now = time.monotonic()
                if now - told >= _REPORT_S or engine.step in (first_step + 1, self.config.total_steps):
                    told = now
                    self._report(engine, parts, metrics, rate=(engine.step - first_step) / max(now - began, 1e-9))
                self._keep(engine)
                with contextlib.suppress(StepAbandoned):
                    self._evaluate(engine, snapshot, interruption.raise_if_wanted)
        finally:
            if metrics:
                metrics.close()

    def _report(self, engine: Engine, parts: dict[str, Tensor], metrics: MetricsFile | None, *, rate: float) -> None:
        if metrics is None:
            return
        values = {name: float(value) for name, value in parts.items()}
        if values["loss"] != values["loss"]:
            raise UserFacingError(
                f"The loss is not a number at step {engine.step}.", "Choose a smaller learning_rate, or precision fp32."
            )
        if "agreement" in values:
            values["disagreement"] = 1 - values["agreement"]
        row: dict[str, Any] = {
            "step": engine.step,
            **values,
            "it_per_s": rate,
            "eta_s": (self.config.total_steps - engine.step) / max(rate, 1e-9),
            "memory_bytes": memory_in_use(engine.place.device),
            "micro_batch": engine.micro_batch,
        }
        metrics.add(row)
        self.voice.say(event="step", total=self.config.total_steps, **row)

    def _keep(self, engine: Engine) -> None:
        is_due = engine.step % self.config.checkpoint_every == 0
        since = time.monotonic() - self._kept
        is_late = since > _KEEP_S and not self.writer.is_busy
        is_last = engine.step == self.config.total_steps
        if is_last or is_late or (is_due and not self.writer.is_burden(since)):
            self._save(engine)

    def _save(self, engine: Engine) -> None:
        """Begin to write what the last step left, unless that is on its way already."""
        if self.team.is_first and self.writer.step != engine.step:
            self.writer.wait()  # on a GPU both checkpoints use the same copy in main memory
            self.writer.begin(*engine.state())
            self._kept = time.monotonic()

    def _on_written(self, step: int, path: Path) -> None:
        self.voice.say(event="saved", step=step, path=str(path))

    def _evaluate(self, engine: Engine, snapshot: Snapshot, on_progress: OnProgress) -> None:
        every = self.config.evaluate_every
        if not every or engine.step % every or not self.team.is_first:
            return
        predictor = Predictor(engine.final_net, self.config, engine.place)
        result = evaluate(predictor, snapshot, "val", on_progress=on_progress)
        if result.scores:
            self.voice.say(event="evaluation", step=engine.step, **result.summary())
        if time.monotonic() - self._previewed > _PREVIEW_S:
            self._preview(predictor, snapshot, engine.step)

    def _preview(self, predictor: Predictor, snapshot: Snapshot, step: int) -> None:
        self._previewed = time.monotonic()
        files = write_previews(predictor, snapshot, self.paths.previews)
        self.voice.say(event="preview", step=step, files=[str(path) for path in files])

    def _obey(self, engine: Engine, snapshot: Snapshot) -> None:
        command = self.team.agree(self._heard() if self.team.is_first else None)
        if command == "preview" and self.team.is_first:
            self._preview(Predictor(engine.final_net, self.config, engine.place), snapshot, engine.step)
        elif command == "stop":
            self._stop(engine)
        elif command == "finish":
            self._finish_early = True
        elif command == "pause":
            self._pause(engine)

    def _heard(self) -> str | None:
        if self._early_commands:
            return self._early_commands.pop(0)
        command = (self.ears.next() or {}).get("command")
        return None if command is None else str(command)

    def _stop(self, engine: Engine) -> None:
        """Nothing is computed any more; what the last step left is written."""
        self.voice.say(event="saving", step=engine.step)
        self._save(engine)
        self.writer.wait()
        raise Cancelled

    def _pause(self, engine: Engine) -> None:
        """Save, give the GPU's memory back, and wait."""
        self._save(engine)
        self.writer.wait()
        engine.move_to(torch.device("cpu"))
        self.voice.enter(RunState.PAUSED)
        while True:
            heard = self.ears.next(wait_s=0.2) if self.team.is_first else None
            command = self.team.agree((heard or {}).get("command"))
            if command == "stop":
                raise Cancelled
            if command in ("resume", "finish"):
                self._finish_early = command == "finish"
                break
        engine.move_to(engine.place.device)
        self.voice.enter(RunState.TRAINING)

    def _finish(self, engine: Engine, snapshot: Snapshot) -> None:
        self.voice.enter(RunState.FINALISING)
        # Finished early: whoever stops while the model is made goes on from here.
        self._save(engine)
        predictor = Predictor(engine.final_net, self.config, engine.place)
        result = evaluate(predictor, snapshot, "val", on_progress=self._tell)
        if result.scores:
            write_json(self.paths.evaluation, result.as_json())
            write_worst(predictor, snapshot, result, self.paths.worst)
            self.voice.say(event="evaluation", step=engine.step, **result.summary())
        self._preview(predictor, snapshot, engine.step)
        write_model(self.paths, engine, snapshot, result, self.record)
        self.voice.enter(RunState.DONE)
        self.voice.say(event="done", model=str(self.paths.model), step=engine.step)

    def _metrics(self, engine: Engine) -> MetricsFile | None:
        if not self.team.is_first:
            return None
        levels = [f"level_{index + 1}" for index in range(self.config.n_levels)]
        columns = ["step", "loss", *levels, "agreement", "disagreement", "lr", "it_per_s", "eta_s", "memory_bytes"]
        return MetricsFile(self.paths.metrics, [*columns, "micro_batch"], from_step=engine.step)

    def _tell(self, progress: Progress) -> None:
        heard = self.ears.next()
        if heard and heard.get("command") == "stop":
            raise Cancelled
        if heard:
            # Asked for before the first step: obeyed there.
            self._early_commands.append(str(heard.get("command")))
        if progress.done % 10 == 0 or progress.done == progress.total:
            self.voice.say(event="progress", done=progress.done, total=progress.total, text=progress.text)
