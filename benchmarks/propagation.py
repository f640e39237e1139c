"""Our propagation against the published one, forward and backward, one level: time, memory, equality.

    python -m benchmarks.propagation --reference PATH_TO_GAZEMEDSEG_CHECKOUT [--quick]

Without --reference the definition in `training.propagation.propagate_slowly` stands in, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import torch
from torch.nn import functional

from benchmarks.figures import Figure, show
from benchmarks.published_code import checked_checkout
from training.propagation import propagate_logits, propagate_slowly

CHANNELS = 128


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--quick", action="store_true", help="96 px instead of 224")
    parser.add_argument("--one", choices=["published", "definition", "ours"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    size = 96 if options.quick else 224
    if options.one:
        print(json.dumps(_measure(options.one, size, options.reference)))
        return 0
    other = "published" if options.reference else "definition"
    if options.reference:
        checked_checkout(options.reference)
    runs = {name: [_in_own_process(name, options) for _ in range(2)] for name in (other, "ours")}
    theirs, ours = (min(run["seconds"] for run in runs[name]) for name in (other, "ours"))
    their_bytes, our_bytes = (min(run["bytes"] for run in runs[name]) for name in (other, "ours"))
    sums = [runs[name][0]["checksum"] for name in (other, "ours")]
    difference = abs(sums[0] - sums[1]) / abs(sums[0])
    figures = [
        Figure(f"{other}, fwd + bwd", f"{theirs:.3f} s, {their_bytes / 1e9:.2f} GB", "", None),
        Figure("ours, fwd + bwd", f"{ours:.3f} s, {our_bytes / 1e9:.2f} GB", "", None),
        Figure("times faster", f"{theirs / ours:.1f}", ">= 25", theirs / ours >= 25),
        Figure("share of memory", f"{our_bytes / their_bytes:.2f}", "<= 0.33", our_bytes / their_bytes <= 1 / 3),
        Figure("gradient checksum, relative", f"{difference:.1e}", "<= 1e-4", difference <= 1e-4),
    ]
    return show(f"Propagation, batch 1, {CHANNELS} channels, {size} px, {torch.get_num_threads()} threads", figures)


def _in_own_process(name: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.propagation", "--one", name, *(["--quick"] if options.quick else [])]
    command += ["--reference", str(options.reference)] if options.reference else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _measure(name: str, size: int, reference: Path | None) -> dict[str, float]:
    """Best of some rounds, and the peak of memory above what was there before."""
    torch.manual_seed(0)
    features = (0.1 * torch.randn(1, CHANNELS, size, size)).requires_grad_()
    weight = torch.randn(1, CHANNELS, 1, 1)
    bias = torch.zeros(1)
    if name == "published":
        from benchmarks.published_code import load_published

        class Shell(load_published(reference or Path()).model_class):  # type: ignore[misc]
            """The published class without its networks: only its method is called."""

            def __init__(self) -> None:
                torch.nn.Module.__init__(self)

        move = Shell().feature_propogate
    process = psutil.Process()
    before = process.memory_info().rss
    took = []
    for _ in range(2 if name != "ours" else 5):
        features.grad = None
        began = time.perf_counter()
        if name == "ours":
            out = propagate_logits(features, functional.conv2d(features, weight, bias), bias)
        elif name == "definition":
            out = propagate_slowly(features, weight, bias)
        else:
            out = functional.conv2d(move(features), weight, bias)
        out.square().sum().backward()
        took.append(time.perf_counter() - began)
    if features.grad is None:
        raise SystemExit("no gradient came back")
    return {"seconds": min(took), "bytes": _peak() - before, "checksum": float(features.grad.double().square().sum())}


def _peak() -> int:
    try:
        import resource
    except ImportError:
        return int(psutil.Process().memory_info().peak_wset)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    raise SystemExit(main())
