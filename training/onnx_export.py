"""A model as ONNX with resize and normalisation inside: image pixels in, probability of the image's size out."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from domain.errors import MissingPackageError, UserFacingError
from storage.atomic_write import write_atomically
from training.prediction import Predictor
from training.preprocess import Preprocess, channel_statistics

MAX_DIFFERENCE = 1e-3
OPSET = 18


@dataclass(frozen=True)
class ExportCheck:
    """How far the ONNX model is from ours on the check images."""

    n_images: int
    max_difference: float
    dice: float


class OnnxModel(nn.Module):
    """The whole way from uint8 pixels (H, W, 3) to probabilities, in operations that ONNX has for any H and W.

    Outputs: probability (H, W) and levels (levels, H, W), float32. The resampling matrices of `training.resampling` are
    computed inside the graph from the image's shape.
    """

    def __init__(self, net: nn.Module, preprocess: Preprocess, *, flips: bool) -> None:
        super().__init__()
        self.net = net
        self.preprocess = preprocess
        self.flips = flips

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """One image (H, W, 3) uint8."""
        p = self.preprocess
        size = _shape(image)
        height, width = size[0], size[1]
        scales = p.size_px / size
        if p.keep_aspect:
            scales = scales.min().expand(2)
        offsets = (p.size_px - size * scales) / 2 if p.keep_aspect else torch.zeros(2)
        channels = image.to(torch.float32).permute(2, 0, 1)
        if p.in_channels == 1:
            channels = channels.mean(0, keepdim=True)
        samples_y = torch.ones_like(channels[0, :, 0]).cumsum(0) - 0.5
        samples_x = torch.ones_like(channels[0, 0, :]).cumsum(0) - 0.5
        square = torch.arange(p.size_px, dtype=torch.float32) + 0.5
        rows = _matrix((square - offsets[0]) / scales[0], samples_y, height, 1 / scales[0], p.antialias, cut=True)
        columns = _matrix((square - offsets[1]) / scales[1], samples_x, width, 1 / scales[1], p.antialias, cut=True)
        small = rows @ channels @ columns.transpose(0, 1)
        inside = (rows.sum(1) > 0).to(torch.float32)[:, None] * (columns.sum(1) > 0).to(torch.float32)[None]
        levels = self._levels(self._normalised(small, inside)[None])[0]
        limit = torch.full_like(height, p.size_px)
        back_y = _matrix(samples_y * scales[0] + offsets[0], square, limit, scales[0], p.antialias, cut=False)
        back_x = _matrix(samples_x * scales[1] + offsets[1], square, limit, scales[1], p.antialias, cut=False)
        full = back_y @ levels @ back_x.transpose(0, 1)
        return torch.sigmoid(full.mean(0)), torch.sigmoid(full)

    def _normalised(self, small: Tensor, inside: Tensor) -> Tensor:
        if self.preprocess.normalisation == "imagenet":
            mean, std = channel_statistics(self.preprocess.in_channels, small.device)
            return (small / 255 - mean[0]) / std[0] * inside
        n = inside.sum() * self.preprocess.in_channels
        mean = (small * inside).sum() / n
        away = (small - mean) * inside
        return away / (away.square().sum() / n).sqrt().clamp_min(1e-6)

    def _levels(self, image: Tensor) -> Tensor:
        passes: list[list[int]] = [[], [3], [2], [2, 3]] if self.flips else [[]]
        total = torch.zeros(())
        for flip in passes:
            logits = torch.cat(self.net(image.flip(flip) if flip else image).logits, dim=1)
            total = total + (logits.flip(flip) if flip else logits)
        return total / len(passes)


def export_onnx(predictor: Predictor, path: Path, check_images: Sequence[NDArray[np.uint8]]) -> ExportCheck:
    """Write the model and compare it with ours on some images; a file that differs is not left behind.

    Raises:
        MissingPackageError: onnx, onnxscript or onnxruntime is not installed.
        UserFacingError: the exported model differs by more than 1e-3.
    """
    try:
        import onnx  # noqa: F401 - optional packages
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError("ONNX export needs more packages.", "pip install sightline[onnx]") from error
    if not check_images:
        raise UserFacingError("An export is checked on images, and there are none.", "Give some images of the study.")
    model = OnnxModel(
        predictor.net.to("cpu").eval(), predictor.preprocess, flips=predictor.config.test_time_flips
    ).eval()
    example = torch.from_numpy(np.ascontiguousarray(check_images[0]))
    with write_atomically(path) as draft:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), torch.no_grad():
            # The exporter warns of its own future; the check below is what counts.
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            torch.onnx.export(
                model,
                (example,),
                str(draft),
                input_names=["image"],
                output_names=["probability", "levels"],
                dynamic_axes={
                    "image": {0: "height", 1: "width"},
                    "probability": {0: "height", 1: "width"},
                    "levels": {1: "height", 2: "width"},
                },
                opset_version=OPSET,
                dynamo=False,
            )
        _describe(draft, predictor)
        session = onnxruntime.InferenceSession(str(draft), providers=["CPUExecutionProvider"])
        check = _compare(session, predictor, check_images)
        if check.max_difference > MAX_DIFFERENCE:
            raise UserFacingError(
                f"The exported model differs from ours by {check.max_difference:.1e}, more than {MAX_DIFFERENCE:.0e}.",
                "Nothing was written. Please report the preset and the versions (sightline doctor).",
            )
    return check


def _matrix(centres: Tensor, samples: Tensor, n: Tensor, stretch: Tensor, antialias: bool, *, cut: bool) -> Tensor:
    """The triangle filter of `training.resampling`, for sizes that are known only when the graph runs."""
    support = stretch.clamp_min(1.0) if antialias else torch.ones_like(stretch)
    is_wide = (support > 1.0).to(torch.float32)
    held = torch.minimum(centres.clamp_min(0.5), n - 0.5)
    placed = held + (centres - held) * is_wide
    weights = (1.0 - (samples[None] - placed[:, None]).abs() / support).clamp_min(0.0)
    weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-12)
    if cut:
        weights = weights * ((centres >= 0) & (centres < n)).to(torch.float32)[:, None]
    return weights


def _shape(image: Tensor) -> Tensor:
    return torch.stack([torch.as_tensor(image.shape[0]), torch.as_tensor(image.shape[1])]).to(torch.float32)


def _describe(path: Path, predictor: Predictor) -> None:
    import onnx

    model = onnx.load(str(path))
    entry = model.metadata_props.add()
    entry.key, entry.value = "sightline", json.dumps(predictor.description)
    onnx.save(model, str(path))


def _compare(session: object, predictor: Predictor, images: Sequence[NDArray[np.uint8]]) -> ExportCheck:
    from training.device import Place
    from training.scores import dice

    ours = Predictor(predictor.net, predictor.config, Place(torch.device("cpu"), None))
    run = session.run  # type: ignore[attr-defined]  # onnxruntime is imported where it is asked for only
    largest, agreements = 0.0, []
    for image in images:
        wanted = ours.predict(image)
        found = run(["probability"], {"image": np.ascontiguousarray(image)})[0]
        largest = max(largest, float(np.abs(found - wanted.probability).max()))
        agreements.append(dice(found > 0.5, wanted.mask))
    return ExportCheck(len(images), largest, float(np.mean(agreements)))
