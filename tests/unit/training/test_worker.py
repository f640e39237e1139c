from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from domain.errors import UserFacingError
from storage.snapshot_file import Snapshot
from training.checkpoints import Checkpoints
from training.config import TrainConfig
from training.messages import RunState
from training.prediction import load_model
from training.run_folder import RunFolder
from training.supervisor import TrainingRun


def test_that_a_run_reports_stops_resumes_and_leaves_a_model(
    snapshot: Snapshot, small: TrainConfig, tmp_path: Path
) -> None:
    config = small.with_changes(steps=40, evaluate_every=40)
    run = TrainingRun.start(config, snapshot.folder, tmp_path / "run")
    for event in run.events():
        if event["event"] == "step" and event["step"] >= 3:
            run.stop()
    assert run.wait(180) is RunState.STOPPED
    stopped_at = Checkpoints(tmp_path / "run" / "checkpoints").newest_step()
    assert 3 <= stopped_at < 40
    again = TrainingRun.start_again(tmp_path / "run")
    events = list(again.events())
    assert again.wait(180) is RunState.DONE
    states = [event["state"] for event in events if event["event"] == "state"]
    assert states == ["queued", "validating", "caching", "training", "finalising", "done"]
    first = next(event for event in events if event["event"] == "step")
    assert first["step"] == stopped_at + 1
    assert {"loss", "level_1", "level_2", "agreement", "disagreement", "lr", "it_per_s", "eta_s"} <= set(first)
    assert any(event["event"] == "evaluation" and event["n"] == 3 for event in events)
    paths = RunFolder(tmp_path / "run")
    assert [row["step"] for row in paths.rows()] == sorted({row["step"] for row in paths.rows()})
    predictor = load_model(paths.model, device="cpu")
    prediction = predictor.predict(snapshot.image(snapshot.items[0]))
    assert prediction.probability.shape == prediction.uncertainty_map.shape == (72, 90)
    assert prediction.probability.dtype == np.float32
    assert 0 <= prediction.uncertainty <= 1
    assert "simulated" in paths.card.read_text("utf-8")
    assert len(list(paths.previews.glob("*.png"))) == 3
    assert json.loads(paths.evaluation.read_text("utf-8"))["worst"]


def test_that_a_run_on_too_few_images_is_refused_with_the_reason(small: TrainConfig, tmp_path: Path) -> None:
    from tests.unit.training.conftest import write_snapshot

    few = write_snapshot(tmp_path / "few", n_train=2, n_val=0)
    run = TrainingRun.start(small, few.folder, tmp_path / "run")
    assert run.wait(180) is RunState.FAILED
    with pytest.raises(UserFacingError, match="Only 2 images"):
        run.raise_if_failed()
