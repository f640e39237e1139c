"""Loads the unmodified published modules (med-air/GazeMedSeg) from a checkout outside this repository."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.torchvision_shim import ensure_torchvision


@dataclass(frozen=True)
class Published:
    """What the comparisons call."""

    model_class: Any
    consistency: Any
    pure_consistency: Any
    bce: Any
    metric: Any


def checked_checkout(checkout: Path) -> Path:
    """The folder that --reference names.

    Raises:
        SystemExit: it is no checkout of the published code.
    """
    if not (checkout / "models").is_dir():
        raise SystemExit(
            f"{checkout} is no checkout of med-air/GazeMedSeg: --reference names one outside this repository"
        )
    return checkout


def load_published(checkout: Path) -> Published:
    """The published model and losses; needs MONAI, and scikit-learn for a metric module that is imported on the way."""
    checked_checkout(checkout)
    ensure_torchvision()
    # Imported on the way but never called by what is compared.
    if importlib.util.find_spec("einops") is None:
        _stub("einops", "rearrange")
    if importlib.util.find_spec("sklearn") is None:
        _stub("sklearn.cluster", "KMeans")
        _stub("sklearn.metrics", "normalized_mutual_info_score")
        _stub("sklearn.linear_model", "LogisticRegression")
    models = _package("published_models", checkout / "models")
    utils = _package("published_utils", checkout / "utils")
    multi_level = importlib.import_module(f"{models}.multi_level")
    losses = importlib.import_module(f"{utils}.losses")
    return Published(
        multi_level.MultiLevelModel,
        losses.multi_level_propgation_consistency_loss,
        losses.multi_level_consistency_loss,
        losses.BCEWithLogitsMaskLoss(),
        importlib.import_module(f"{utils}.metric"),
    )


def _stub(name: str, attribute: str) -> None:
    if "." in name:
        sys.modules.setdefault(name.split(".")[0], types.ModuleType(name.split(".")[0]))
    module = types.ModuleType(name)
    setattr(module, attribute, None)
    sys.modules[name] = module


def _package(name: str, folder: Path) -> str:
    """A package whose own __init__ is passed over, since it imports what is not needed here."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return name
