"""One run in this process, with commands that come at a chosen moment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.errors import Cancelled, UserFacingError
from storage.model_file import read_tensor_file
from storage.snapshot_file import Snapshot
from tests.unit.training.conftest import write_snapshot
from training.checkpoints import Checkpoints
from training.config import TrainConfig
from training.messages import Event, RunState
from training.run import Run
from training.run_folder import RunFolder
from training.supervisor import TrainingRun
from training.worker import Ears, Voice


class Said(Voice):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__(None, None)
        self.events: list[Event] = []

    def say(self, **event: object) -> None:
        self.events.append(dict(event))


class Script(Ears):
    """Hears a command as soon as its condition holds. commands: condition on what was said, command."""

    def __init__(self, said: Said, commands: list[tuple[Callable[[Said], bool], str]]) -> None:
        super().__init__(None)
        self._said = said
        self._script = commands

    @property
    def is_told_to_stop(self) -> bool:
        return bool(self._script) and self._script[0][1] == "stop" and self._script[0][0](self._said)

    def next(self, *, wait_s: float = 0.0) -> Event | None:
        if self._script and self._script[0][0](self._said):
            return {"command": self._script.pop(0)[1]}
        return None


def _executed(
    folder: Path, commands: list[tuple[Callable[[Said], bool], str]], *, is_resumed: bool = False
) -> tuple[Said, bool]:
    """What was said, and whether the run came to its end."""
    said = Said()
    try:
        Run(folder, said, Script(said, commands), is_resumed=is_resumed).execute()
    except Cancelled:
        return said, False
    return said, True


def _made(folder: Path, snapshot: Snapshot, config: TrainConfig) -> Path:
    RunFolder(folder).create(config, snapshot.folder, snapshot.digest)
    return folder


def _step_of(said: Said) -> int:
    return said.step


def _weights(folder: Path) -> dict[str, Any]:
    return read_tensor_file(RunFolder(folder).model, kind="model").tensors


def test_that_a_stop_while_the_model_is_made_early_keeps_what_was_learned(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    config = small.with_changes(steps=50, checkpoint_every=40)
    folder = _made(tmp_path / "run", snapshot, config)
    said, has_ended = _executed(
        folder, [(lambda s: _step_of(s) >= 3, "finish"), (lambda s: s.state is RunState.FINALISING, "stop")]
    )
    assert not has_ended
    assert Checkpoints(folder / "checkpoints").newest_step() == said.step >= 3


def test_that_a_pause_before_the_second_round_does_not_lose_it(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    config = small.with_changes(steps=4, self_training_steps=4, ema_decay=0.9)
    whole = _made(tmp_path / "whole", snapshot, config)
    paused = _made(tmp_path / "paused", snapshot, config)
    assert _executed(whole, [])[1]
    said, has_ended = _executed(
        paused, [(lambda s: _step_of(s) == 2, "pause"), (lambda s: s.state is RunState.PAUSED, "resume")]
    )
    assert has_ended
    assert any(event.get("state") == "paused" for event in said.events)
    assert all(np.array_equal(values, _weights(paused)[name]) for name, values in _weights(whole).items())


def test_that_a_stop_writes_nothing_that_is_on_the_disk_already(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    folder = _made(tmp_path / "run", snapshot, small.with_changes(steps=50, checkpoint_every=2))
    said, _ = _executed(folder, [(lambda s: _step_of(s) == 4, "stop")])
    assert [event["step"] for event in said.events if event["event"] == "saved"] == [2, 4]
    never = _made(tmp_path / "never", snapshot, small)
    said, has_ended = _executed(never, [(lambda s: s.state is RunState.TRAINING, "stop")])
    assert not has_ended
    assert Checkpoints(never / "checkpoints").load() is None, "step 0 is made from the configuration anew"
    assert _executed(never, [], is_resumed=True)[1]


def test_that_long_steps_are_kept_by_the_clock(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.run._KEEP_S", -1.0)
    folder = _made(tmp_path / "run", snapshot, small.with_changes(steps=5, checkpoint_every=1000))
    said, _ = _executed(folder, [])
    kept = [event["step"] for event in said.events if event["event"] == "saved"]
    assert kept
    assert kept[-1] == 5
    assert len(kept) >= 2


def test_that_a_refused_run_is_checked_again_when_it_is_resumed(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    few = write_snapshot(tmp_path / "few", n_train=2, n_val=0)
    folder = _made(tmp_path / "run", few, small)
    for is_resumed in (False, True):
        with pytest.raises(UserFacingError, match="Only 2 images"):
            _executed(folder, [], is_resumed=is_resumed)


def test_that_a_resumed_run_does_not_need_the_weights_it_began_with(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _made(tmp_path / "run", snapshot, small)
    _executed(folder, [(lambda s: _step_of(s) == 2, "stop")])

    def gone(*_: object) -> None:
        raise AssertionError("the file may be gone by now")

    monkeypatch.setattr("training.run.load_start_weights", gone)
    assert _executed(folder, [], is_resumed=True)[1]


def test_that_a_worker_told_to_stop_before_it_began_leaves_at_once_and_can_be_resumed(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    run = TrainingRun.start(replace(small, steps=2), snapshot.folder, tmp_path / "run")
    run.stop()
    assert run.wait(60) is RunState.STOPPED
    assert [event["state"] for event in run.poll() if event["event"] == "state"] == ["queued", "stopped"]
    again = TrainingRun.start_again(tmp_path / "run")
    assert again.wait(120) is RunState.DONE


def test_that_a_run_leaves_all_that_is_needed_to_make_it_again(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    weights = tmp_path / "encoder.safetensors"
    weights.write_bytes(b"weights")
    RunFolder(tmp_path / "begun").create(
        small.with_changes(weights_file=str(weights)), snapshot.folder, snapshot.digest, parent="000-tiny"
    )
    record = RunFolder(tmp_path / "begun").read()
    assert record["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert record["config_digest"] == small.with_changes(weights_file=str(weights)).digest()
    assert record["snapshot_digest"] == snapshot.digest
    assert record["seed"] == small.seed
    assert record["parent"] == "000-tiny"
    assert record["packages"]["torch"]
    assert record["packages"]["numpy"] == np.__version__
    assert record["command"][1:3] == ["-m", "training.worker"]
    assert datetime.fromisoformat(record["created"]).tzinfo is not None
    folder = _made(tmp_path / "run", snapshot, small)
    said, _ = _executed(folder, [])
    machine = next(event for event in said.events if event["event"] == "machine")
    assert (machine["precision"], machine["micro_batch"], machine["processes"]) == ("fp32", small.batch, 1)
    card = RunFolder(folder).card.read_text("utf-8")
    for words in (
        "10 to train, of 10 cases; 3 to validate",
        small.digest(),
        snapshot.digest[:16],
        "random weights",
        "seed 0",
        "colour, stretched to a square, imagenet",
        "Not a medical device",
        "simulated",
    ):
        assert words in card
    rows = RunFolder(folder).rows()
    assert [row["step"] for row in rows][-1] == small.total_steps
