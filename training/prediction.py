"""From an image to probability and uncertainty, with a trained model; the same way everywhere."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from domain.errors import BadFileError
from storage.model_file import TensorFile, read_tensor_file
from training.config import TrainConfig
from training.device import Place, pick_place
from training.multi_level import LevelOutputs, MultiLevelNet
from training.preprocess import Preprocess

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """probability, uncertainty_map (H, W) float32 in 0-1, of the image's own size.

    uncertainty_map: largest minus smallest probability of the levels (one level: 1 - |2p - 1|). uncertainty: its sum
    over the sum of the largest probability, 0 = all levels agree, 1 = they share nothing; small targets count fully.
    """

    probability: NDArray[np.float32]
    uncertainty_map: NDArray[np.float32]
    uncertainty: float

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the probability is above one half."""
        return np.asarray(self.probability > 0.5)


class Predictor:
    """A network with its preprocessing, on a device."""

    def __init__(
        self, net: nn.Module, config: TrainConfig, place: Place, *, description: dict[str, Any] | None = None
    ) -> None:
        self.net = net
        self.config = config
        self.place = place
        self.preprocess = Preprocess.of(config)
        self.description = description or {}

    def predict(self, image_u8: NDArray[np.uint8]) -> Prediction:
        """Predict one image (H, W, 3) uint8."""
        return next(iter(self.predict_many([image_u8])))

    def predict_many(self, images: Iterable[NDArray[np.uint8]], *, batch: int = 8) -> Iterator[Prediction]:
        """Predict many images of any sizes, a few at a time, in their order."""
        waiting: list[NDArray[np.uint8]] = []
        for image in images:
            waiting.append(image)
            if len(waiting) == batch:
                yield from self._predict(waiting)
                waiting = []
        if waiting:
            yield from self._predict(waiting)

    @torch.inference_mode()
    def logits(self, squares: Tensor, inside: Tensor | None) -> Tensor:
        """Logits of all levels (B, levels, S, S) for squares of 0-255, averaged over flips if it says so."""
        device = self.place.device
        image = self.preprocess.normalise(squares.to(device), None if inside is None else inside.to(device))
        self.net.eval()
        flips: list[list[int]] = [[], [-1], [-2], [-1, -2]] if self.config.test_time_flips else [[]]
        total: Tensor | None = None
        for flip in flips:
            with torch.autocast(device.type, self.place.autocast, enabled=self.place.autocast is not None):
                outputs: LevelOutputs = self.net(image.flip(flip) if flip else image)
            levels = torch.cat(outputs.logits, dim=1).float()
            levels = levels.flip(flip) if flip else levels
            total = levels if total is None else total + levels
        if total is None:
            raise ValueError("at least one pass is needed")
        return total / len(flips)

    def _predict(self, images: list[NDArray[np.uint8]]) -> Iterator[Prediction]:
        # Not rounded as in the training cache: a rounding that another runtime decides differently is a difference of
        # its own.
        squares = torch.stack([self.preprocess.square(image) for image in images])
        inside = None
        if self.config.keep_aspect:
            inside = torch.stack([self.preprocess.inside(*image.shape[:2]) for image in images])
        logits = self.logits(squares, inside).cpu()
        for image, levels in zip(images, logits, strict=True):
            yield combined(self.preprocess.back(levels, *image.shape[:2]))


def combined(levels: Tensor) -> Prediction:
    """Logits of the levels (levels, H, W) to a prediction: sigmoid of their mean, as published."""
    probability = torch.sigmoid(levels.mean(0))
    each = torch.sigmoid(levels)
    apart = each.max(0).values - each.min(0).values if len(each) > 1 else 1 - (2 * each[0] - 1).abs()
    largest = float(each.max(0).values.sum())
    return Prediction(
        probability.numpy().astype(np.float32),
        apart.numpy().astype(np.float32),
        min(1.0, float(apart.sum()) / max(largest, 1e-6)),
    )


def load_model(path: Path, *, device: str = "auto") -> Predictor:
    """A predictor from a model file.

    Raises:
        BadFileError: not a model of ours, damaged, or its weights do not fit its description.
    """
    stored = read_tensor_file(path, kind="model")
    return predictor_of(stored, path=path, device=device)


def predictor_of(stored: TensorFile, *, path: Path, device: str = "auto") -> Predictor:
    """A predictor from a model that was read."""
    try:
        config = TrainConfig.from_json({**stored.description["config"], "weights_file": "", "device": device})
        net = MultiLevelNet(config)
        net.load_state_dict({name: torch.from_numpy(values) for name, values in stored.tensors.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise BadFileError(f"The weights in {path} do not fit their description: {error}.") from error
    place = pick_place(config)
    return Predictor(net.to(place.device).eval(), config, place, description=stored.description)
