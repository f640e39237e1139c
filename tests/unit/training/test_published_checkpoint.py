from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from domain.errors import BadFileError
from training.config import REFERENCE
from training.multi_level import MultiLevelNet
from training.prediction import load_model
from training.published_checkpoint import import_published_checkpoint, read_published_checkpoint

SMALL = REFERENCE.with_changes(features=(4, 8, 8, 8, 8, 8), feature_dim=8, device="cpu")


def _published_name(ours: str) -> str:
    """Our name in the words of the published state_dict (MONAI's BasicUNet inside `model.N.encoder`)."""
    _, level, part, *rest = ours.split(".")
    if part == "classifier":
        return f"model.{level}.classifier.{rest[0]}"
    kind = rest[0]
    inner = {
        "first": "conv_0.conv",
        "first_norm": "conv_0.adn.N",
        "second": "conv_1.conv",
        "second_norm": "conv_1.adn.N",
    }
    if kind == "entry":
        name = f"conv_0.{inner[rest[1]]}.{rest[2]}"
    elif kind == "down":
        name = f"down_{int(rest[1]) + 1}.convs.{inner[rest[2]]}.{rest[3]}"
    elif kind == "up" and rest[2] == "up":
        name = f"upcat_{4 - int(rest[1])}.upsample.deconv.{rest[3]}"
    elif kind == "up":
        name = f"upcat_{4 - int(rest[1])}.convs.{inner[rest[3]]}.{rest[4]}"
    else:
        name = f"final_conv.{rest[1]}"
    return f"model.{level}.encoder.{name}"


def _checkpoint(path: Path) -> MultiLevelNet:
    net = MultiLevelNet(SMALL).eval()
    state = {_published_name(name): value for name, value in net.state_dict().items()}
    state["model.0.head.0.weight"] = torch.zeros(3)
    torch.save(
        {
            "state_dict": state,
            "opt": {"state": {}, "param_groups": []},
            "epoch": 2,
            "iteration": 1001,
            "best_performance": np.float32(0.75),
            "best_iteration": 1000,
        },
        path,
    )
    return net


def test_that_a_published_checkpoint_predicts_the_same_here(tmp_path: Path) -> None:
    net = _checkpoint(tmp_path / "model_best.pth")
    predictor = load_model(
        import_published_checkpoint(tmp_path / "model_best.pth", tmp_path / "m.safetensors", target="polyp"),
        device="cpu",
    )
    assert predictor.config.thresholds == (0.5, 0.3)
    assert predictor.config.features == SMALL.features
    square = torch.rand(1, 3, 224, 224) * 255
    with torch.no_grad():
        expected = torch.cat(net(predictor.preprocess.normalise(square)).logits, 1)
    torch.testing.assert_close(predictor.logits(square, None), expected)


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must not run",))


@pytest.mark.parametrize("kind", ["code", "foreign", "missing", "truncated", "not torch"])
def test_that_a_bad_checkpoint_is_refused_and_nothing_in_it_runs(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.pth"
    if kind == "code":
        torch.save({"state_dict": _Runs()}, path)
    elif kind == "foreign":
        torch.save({"weights": torch.zeros(1)}, path)
    elif kind == "truncated":
        _checkpoint(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "not torch":
        path.write_bytes(b"hello")
    with pytest.raises(BadFileError):
        read_published_checkpoint(path)
    assert "must not run" not in capsys.readouterr().out
