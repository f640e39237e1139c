from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from domain.errors import UserFacingError
from training.config import preset
from training.device import Place
from training.multi_level import MultiLevelNet
from training.onnx_export import export_onnx
from training.prediction import Predictor

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (pip install sightline[onnx])")
pytest.importorskip("onnx", reason="onnx is not installed (pip install sightline[onnx])")


def _predictor(**changes: object) -> Predictor:
    small = {"features": (4, 8, 8, 8, 8, 8), "feature_dim": 8, "size_px": 32, **changes}
    config = preset("tiny", **small)
    net = MultiLevelNet(config).eval()
    # Weights as drawn give probabilities near one half everywhere; larger ones spread them.
    with torch.no_grad():
        for level in net.level_nets():
            level.classifier.weight.mul_(20)
    return Predictor(net, config, Place(torch.device("cpu"), None), description={"target": "polyp"})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"keep_aspect": True, "test_time_flips": True},
        {"in_channels": 1, "normalisation": "z-score", "antialias": False},
    ],
    ids=["stretched", "aspect kept and flips", "grey, z-score, no antialias"],
)
def test_that_the_exported_model_equals_ours_on_eight_images_of_eight_sizes(
    changes: dict[str, object], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    sizes = [(40, 50), (33, 90), (90, 33), (20, 21), (64, 64), (32, 32), (100, 70), (51, 47)]
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    predictor = _predictor(**changes)
    check = export_onnx(predictor, tmp_path / "model.onnx", images)
    assert check.n_images == 8
    assert check.max_difference <= 1e-3
    assert check.dice == pytest.approx(1, abs=1e-3)
    assert (tmp_path / "model.onnx").stat().st_size > 1000


def test_that_an_export_that_differs_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = _predictor()
    images = [np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)]
    monkeypatch.setattr("training.onnx_export.MAX_DIFFERENCE", -1.0)
    with pytest.raises(UserFacingError, match="differs from ours"):
        export_onnx(predictor, tmp_path / "model.onnx", images)
    assert list(tmp_path.iterdir()) == []
