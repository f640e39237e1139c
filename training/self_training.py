"""One more round: labels blended with what the averaged network has learned, weighted by their agreement."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from domain.errors import BadFileError
from storage.model_file import TensorFile, read_tensor_file, write_tensor_file
from training.data_cache import DataCache
from training.engine import Engine
from training.parallel import Team
from training.prediction import Predictor

_log = logging.getLogger(__name__)

_NAME = "second-round-labels.safetensors"


def load_or_make_labels(engine: Engine, folder: Path, team: Team) -> DataCache:
    """The cache of the second round. Its labels are kept on disk, so that a resumed run has the very same ones."""
    path = folder / _NAME
    device = engine.place.device
    if path.exists():
        try:
            stored = read_tensor_file(path, kind="second-round labels")
            if stored.description.get("config") == engine.config.digest():
                targets, weights = (torch.from_numpy(stored.tensors[name]) for name in ("targets", "weights"))
                return engine.cache.with_labels(targets.to(device), weights.to(device))
        except BadFileError as error:
            _log.warning("%s: making them again", error)
    targets, weights = blended_labels(engine)
    team.share_tensor(targets)
    team.share_tensor(weights)
    if team.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"targets": targets.cpu().numpy(), "weights": weights.cpu().numpy()}
        write_tensor_file(path, TensorFile("second-round labels", arrays, {"config": engine.config.digest()}))
    return engine.cache.with_labels(targets, weights)


def blended_labels(engine: Engine, *, batch: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets and weights (n, levels, S, S) uint8: prediction and label mixed, weight 1 - |difference|."""
    cache, share = engine.cache, engine.config.self_training_share
    predictor = Predictor(engine.final_net, engine.config, engine.place)
    targets = torch.empty_like(cache.targets)
    weights = torch.empty_like(cache.targets)
    for start in range(0, len(cache), batch):
        part = slice(start, min(start + batch, len(cache)))
        inside = None if cache.inside is None else cache.inside[part]
        predicted = torch.sigmoid(predictor.logits(cache.image[part], inside).mean(1, keepdim=True))
        labels = cache.targets[part].float() / 255
        known = torch.ones_like(labels) if cache.weights is None else cache.weights[part].float() / 255
        # Where the first round ignored the label, the prediction alone speaks.
        blend = torch.where(known > 0, share * predicted + (1 - share) * labels, predicted.expand_as(labels))
        doubt = torch.where(known > 0, (predicted - labels).abs(), 1 - (2 * predicted - 1).abs().expand_as(labels))
        targets[part] = (blend * 255).round().to(torch.uint8)
        weights[part] = ((1 - doubt) * 255).round().to(torch.uint8)
    return targets, weights
