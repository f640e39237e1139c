"""Makes `import torchvision` work beside a torch without CUDA, for the packages that import it."""

from __future__ import annotations

import importlib
import sys

import torch

_MISSING = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# torch forgets operators whose library object is collected.
_kept: list[torch.library.Library] = []


def ensure_torchvision() -> None:
    """Import torchvision; where its compiled part does not fit this torch, declare the operators it asks for.

    Index wheels of torchvision on Linux link CUDA libraries; beside a CPU torch their import fails with
    "operator torchvision::nms does not exist". None of our models calls these operators.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _kept:
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # untyped in torch
        for signature in _MISSING.values():
            library.define(signature)  # type: ignore[no-untyped-call]  # untyped in torch
        _kept.append(library)
        importlib.import_module("torchvision")
