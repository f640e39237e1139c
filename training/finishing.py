"""What a finished run leaves: the model file and its card."""

from __future__ import annotations

import platform
from typing import Any

import torch

from domain.version import VERSION
from storage.model_file import TensorFile, write_tensor_file
from storage.snapshot_file import Snapshot
from training.engine import Engine
from training.evaluation import Evaluation
from training.model_card import model_card
from training.preprocess import Preprocess
from training.run_folder import RunFolder
from training.supervision import trainable


def write_model(
    paths: RunFolder, engine: Engine, snapshot: Snapshot, result: Evaluation, record: dict[str, Any]
) -> None:
    """Write model.safetensors and MODEL_CARD.md; the card is made from the same description."""
    description: dict[str, Any] = {
        "config": engine.config.as_json(),
        "preprocess": Preprocess.of(engine.config).as_json(),
        "target": snapshot.target,
        "labels": snapshot.labels.as_json(),
        "is_simulated": snapshot.is_simulated,
        "snapshot_digest": snapshot.digest,
        "config_digest": engine.config.digest(),
        "n_cases": len({item.case or item.item_id for item in snapshot.of_split("train")}),
        "n_train": len(trainable(snapshot, engine.config)),
        "n_val": len(snapshot.of_split("val")),
        "step": engine.step,
        "parent": record.get("parent", ""),
        "run": paths.folder.name,
        "metrics": result.summary() if result.scores else {},
        "device": engine.place.name,
        "precision": engine.place.precision,
        "versions": {"sightline": VERSION, "torch": str(torch.__version__), "python": platform.python_version()},
    }
    arrays = {name: value.detach().cpu().contiguous().numpy() for name, value in engine.final_net.state_dict().items()}
    write_tensor_file(paths.model, TensorFile("model", arrays, description))
    paths.card.write_text(model_card(description), encoding="utf-8")
