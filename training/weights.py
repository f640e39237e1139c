"""Weights to begin with, from a file that the user chose; nothing is ever downloaded."""

from __future__ import annotations

import logging
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from domain.errors import BadFileError
from training.config import TrainConfig
from training.multi_level import MultiLevelNet

_log = logging.getLogger(__name__)

_MIN_SHARE = 0.5


def load_start_weights(net: MultiLevelNet, config: TrainConfig) -> None:
    """Fill the encoder of every level from `config.weights_file`, where one is set.

    The file is a safetensors file of an encoder (timm or torchvision names). Tensors that fit by name and shape are
    taken; the first convolution of a colour network is averaged for grey images.

    Raises:
        BadFileError: not a safetensors file, or fewer than half of the encoder's tensors fit.
    """
    if not config.weights_file:
        return
    path = Path(config.weights_file)
    try:
        stored: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadFileError(
            f"{path} is not a safetensors file: {error}.",
            "Convert the weights to safetensors; files with Python objects inside are not opened.",
        ) from error
    for level in net.level_nets():
        encoder = getattr(level.backbone, "encoder", None) or level.backbone
        own = encoder.state_dict()
        fitting = {name: _fitted(values, own[name]) for name, values in stored.items() if name in own}
        fitting = {name: values for name, values in fitting.items() if values.shape == own[name].shape}
        if len(fitting) < _MIN_SHARE * len(own):
            raise BadFileError(
                f"Only {len(fitting)} of {len(own)} tensors in {path} fit the backbone {config.backbone}.",
                "Choose weights of the same encoder.",
            )
        encoder.load_state_dict(fitting, strict=False)
        _log.info("%d of %d encoder tensors from %s", len(fitting), len(own), path.name)


def _fitted(values: Tensor, wanted: Tensor) -> Tensor:
    if values.ndim == 4 and wanted.ndim == 4 and wanted.shape[1] == 1 and values.shape[1] == 3:
        return values.sum(1, keepdim=True)
    return values
