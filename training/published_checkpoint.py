"""Checkpoints of the published code (med-air/GazeMedSeg) as models of ours."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from domain.errors import BadFileError
from domain.version import VERSION
from storage.model_file import TensorFile, write_tensor_file
from training.config import REFERENCE, TrainConfig
from training.multi_level import MultiLevelNet
from training.preprocess import Preprocess

# Where the published names (of MONAI's BasicUNet) live in ours, applied from top to bottom.
_RENAMED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"^encoder\.conv_0\."), "backbone.entry."),
    (re.compile(r"^encoder\.down_(\d)\.convs\."), lambda found: f"backbone.down.{int(found[1]) - 1}."),
    (re.compile(r"^encoder\.upcat_(\d)\.upsample\.deconv\."), lambda found: f"backbone.up.{4 - int(found[1])}.up."),
    (re.compile(r"^encoder\.upcat_(\d)\.convs\."), lambda found: f"backbone.up.{4 - int(found[1])}.convolutions."),
    (re.compile(r"^encoder\.final_conv\."), "backbone.exit."),
    # These come last: they work on what the lines above left.
    (re.compile(r"^(backbone\.(?:entry|down\.\d|up\.\d\.convolutions)\.)conv_0\.conv\."), r"\1first."),
    (re.compile(r"^(backbone\.(?:entry|down\.\d|up\.\d\.convolutions)\.)conv_0\.adn\.N\."), r"\1first_norm."),
    (re.compile(r"^(backbone\.(?:entry|down\.\d|up\.\d\.convolutions)\.)conv_1\.conv\."), r"\1second."),
    (re.compile(r"^(backbone\.(?:entry|down\.\d|up\.\d\.convolutions)\.)conv_1\.adn\.N\."), r"\1second_norm."),
)


# What torch's restricted reader raises on damaged files: it builds tensors of whatever it finds.
_DAMAGED = (
    OSError,
    RuntimeError,
    pickle.UnpicklingError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
)


def read_published_checkpoint(path: Path) -> dict[str, Tensor]:
    """The weights in a published checkpoint, under our names.

    The file is a pickle from elsewhere: it is opened with `weights_only`, which builds tensors and plain values and
    refuses everything that could run code.

    Raises:
        BadFileError: not such a checkpoint, or it holds something that is not allowed.
    """
    try:
        with torch.serialization.safe_globals(_allowed()):
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise BadFileError(
            f"{path} cannot be opened as a published checkpoint: {error}.",
            "Only files with tensors and plain values are opened; a file that wants to run code never is.",
        ) from error
    state = stored.get("state_dict") if isinstance(stored, dict) else None
    if not isinstance(state, dict) or not any(name.startswith(("model.0.", "encoder.")) for name in state):
        raise BadFileError(f"{path} has no `state_dict` of the published model.", "Choose model_best.pth or the like.")
    return {new: value for name, value in state.items() if (new := _our_name(name)) is not None}


def import_published_checkpoint(path: Path, out: Path, *, thresholds: tuple[float, ...] = (), target: str = "") -> Path:
    """Write a published checkpoint as a model file of ours; it predicts the same.

    Raises:
        BadFileError: not such a checkpoint.
    """
    weights = read_published_checkpoint(path)
    config = published_config(weights, thresholds)
    net = MultiLevelNet(config)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise BadFileError(f"The weights in {path} are not those of the published model: {error}.") from error
    arrays = {name: value.contiguous().numpy() for name, value in net.state_dict().items()}
    description = {
        "config": config.as_json(),
        "preprocess": Preprocess.of(config).as_json(),
        "target": target,
        "labels": {},
        "is_simulated": False,
        "snapshot_digest": "",
        "run": path.stem,
        "origin": f"published checkpoint {path.name}",
        "metrics": {},
        "versions": {"sightline": VERSION, "torch": str(torch.__version__)},
    }
    write_tensor_file(out, TensorFile("model", arrays, description))
    return out


def published_config(weights: dict[str, Tensor], thresholds: tuple[float, ...] = ()) -> TrainConfig:
    """The configuration that a published checkpoint's shapes tell.

    Raises:
        BadFileError: a part is missing.
    """
    n_levels = len({name.split(".")[1] for name in weights})
    try:
        channels = int(weights["levels.0.backbone.entry.first.weight"].shape[1])
        widths = [int(weights["levels.0.backbone.entry.first.weight"].shape[0])]
        widths += [int(weights[f"levels.0.backbone.down.{i}.first.weight"].shape[0]) for i in range(4)]
        widths.append(int(weights["levels.0.backbone.up.3.convolutions.first.weight"].shape[0]))
        feature_dim = int(weights["levels.0.classifier.weight"].shape[1])
    except KeyError as error:
        raise BadFileError(f"The checkpoint lacks {error}.") from error
    polyp, prostate = (0.5, 0.3, 0.4, 0.45, 0.35), (0.2, 0.4, 0.3, 0.25, 0.35)
    default = polyp if channels == 3 else prostate
    return REFERENCE.with_changes(
        thresholds=thresholds or default[:n_levels],
        in_channels=channels,
        features=widths,
        feature_dim=feature_dim,
        normalisation="imagenet" if channels == 3 else "z-score",
    )


def _our_name(name: str) -> str | None:
    """`model.0.encoder.conv_0.conv_0.conv.weight` to `levels.0.backbone.entry.first.weight`; None for unused parts."""
    found = re.match(r"^model\.(\d+)\.(.*)$", name)
    level, rest = (found[1], found[2]) if found else ("0", name)
    if rest.startswith("head."):
        # The published network carries a projection head that nothing calls.
        return None
    for pattern, new in _RENAMED:
        rest = pattern.sub(new, rest)
    return f"levels.{level}.{rest}"


def _allowed() -> list[Any]:
    import numpy as np

    # The published trainer keeps its best score as a numpy number; that alone is allowed beside tensors.
    core = getattr(np, "_core", None) or np.core
    return [core.multiarray.scalar, np.dtype, type(np.dtype(np.float32)), type(np.dtype(np.float64))]
