"""Where a run computes: the device, its precision, and what makes a run repeatable."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import torch

from domain.errors import UserFacingError
from training.config import TrainConfig


@dataclass(frozen=True)
class Place:
    """A device with the number format of its convolutions."""

    device: torch.device
    autocast: torch.dtype | None

    @property
    def name(self) -> str:
        """What the user calls it."""
        if self.device.type == "cuda":
            return str(torch.cuda.get_device_name(self.device))
        return {"cpu": "processor (CPU)", "mps": "Apple GPU"}.get(self.device.type, self.device.type)

    @property
    def precision(self) -> str:
        """`bf16` or `fp32`."""
        return "bf16" if self.autocast == torch.bfloat16 else "fp32"


def pick_place(config: TrainConfig, *, local_rank: int = 0) -> Place:
    """The configuration's device, or the one with most free memory; bf16 where a GPU computes it.

    Raises:
        UserFacingError: the device that was asked for is not there.
    """
    wanted = config.device
    if wanted == "auto":
        if torch.cuda.is_available():
            wanted = f"cuda:{local_rank}" if "LOCAL_RANK" in os.environ else f"cuda:{_freest_gpu()}"
        elif torch.backends.mps.is_available():
            wanted = "mps"
        else:
            wanted = "cpu"
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        # torch raises AssertionError where it was built without CUDA.
        raise UserFacingError(f"The device {wanted!r} cannot be used: {error}.", "Use auto or cpu.") from error
    can_bf16 = device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported())
    use_bf16 = config.precision == "bf16" or (config.precision == "auto" and device.type == "cuda")
    return Place(device, torch.bfloat16 if use_bf16 and can_bf16 else None)


def make_repeatable(config: TrainConfig) -> None:
    """Set threads and, in deterministic mode, algorithms whose result does not depend on timing."""
    if config.threads:
        torch.set_num_threads(config.threads)
    # cuBLAS reads this when CUDA starts; without it its sums depend on the stream.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not config.deterministic


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory; CPU and MPS say so in a plain RuntimeError."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def memory_in_use(device: torch.device) -> int:
    """Bytes that this process holds: on the GPU, else in main memory; 0 where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import psutil

        return int(psutil.Process().memory_info().rss)
    except (ImportError, OSError):
        return 0


def peak_memory() -> int:
    """Bytes of main memory that this process held at most; what it holds now where the system does not tell."""
    try:
        import resource
    except ImportError:
        import psutil

        return int(getattr(psutil.Process().memory_info(), "peak_wset", 0)) or memory_in_use(torch.device("cpu"))
    # Kilobytes, except on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _freest_gpu() -> int:
    free = [torch.cuda.mem_get_info(index)[0] for index in range(torch.cuda.device_count())]
    return free.index(max(free))
