"""The Triton kernels: on a GPU where there is one, else in Triton's interpreter in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

_HAS_TRITON = importlib.util.find_spec("triton") is not None
_ROOT = Path(__file__).resolve().parents[3]

_CHECK = """
import sys, torch
from torch.nn import functional
from training.propagation import propagate_logits
from training.propagation_triton import propagate_with_triton
device = sys.argv[1]
for channels, height, width in ((5, 6, 9),):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, channels, height, width, generator=generator).to(device).requires_grad_()
    weight = torch.randn(1, channels, 1, 1, generator=generator).to(device).requires_grad_()
    bias = torch.randn(1, generator=generator).to(device).requires_grad_()
    gradient = torch.randn(2, 1, height, width, generator=generator).to(device)
    results = []
    for kernel in (propagate_logits, propagate_with_triton):
        out = kernel(features, functional.conv2d(features, weight, bias), bias)
        results.append((out, *torch.autograd.grad(out, (features, weight, bias), gradient)))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
print("equal")
"""


def _run(device: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, device],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path]), **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(not _HAS_TRITON, reason="triton is not installed")
def test_that_the_kernels_equal_plain_torch_in_the_interpreter() -> None:
    output = _run("cpu", TRITON_INTERPRET="1")
    assert "equal" in output, output


@pytest.mark.hardware
@pytest.mark.skipif(not (_HAS_TRITON and torch.cuda.is_available()), reason="needs a CUDA GPU with Triton")
def test_that_the_kernels_equal_plain_torch_on_the_gpu() -> None:
    output = _run("cuda")
    assert "equal" in output, output
