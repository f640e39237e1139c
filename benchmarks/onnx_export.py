"""ONNX against torch: every backbone, 8 images of 8 sizes, resize and normalisation inside the graph.

python -m benchmarks.onnx_export [--model MODEL.safetensors] [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.figures import Figure, show
from training.backbone import backbones
from training.config import preset
from training.device import Place
from training.multi_level import MultiLevelNet
from training.onnx_export import export_onnx
from training.prediction import Predictor, load_model

SIZES = [(240, 320), (333, 290), (290, 333), (120, 121), (224, 224), (96, 96), (500, 370), (251, 347)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a trained model instead of networks as drawn")
    parser.add_argument("--quick", action="store_true", help="one backbone only")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
    if options.model:
        predictors = {options.model.name: load_model(options.model, device="cpu")}
    else:
        names = backbones.names()[:1] if options.quick else backbones.names()
        predictors = {name: _drawn(name) for name in names}
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, predictor in predictors.items():
            began = time.perf_counter()
            check = export_onnx(predictor, Path(folder) / f"{name}.onnx", images)
            took = time.perf_counter() - began
            worst = check.max_difference
            figures.append(Figure(f"{name}: max |difference|", f"{worst:.1e} ({took:.0f} s)", "<= 1e-3", worst <= 1e-3))
            figures.append(Figure(f"{name}: Dice to torch", f"{check.dice:.5f}", ">= 0.999", check.dice >= 0.999))
    return show("ONNX against torch, 8 images", figures)


def _drawn(name: str) -> Predictor:
    features = {"features": (16, 32, 64, 64, 64, 16)} if name == "basic_unet" else {}
    config = preset("best", backbone=name, size_px=128, feature_dim=16, **features)
    net = MultiLevelNet(config).eval()
    with torch.no_grad():
        for level in net.level_nets():
            level.classifier.weight.mul_(20)  # spreads the probabilities of a network that was never trained
    return Predictor(net, config, Place(torch.device("cpu"), None))


if __name__ == "__main__":
    raise SystemExit(main())
