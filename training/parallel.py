"""Several processes, GPUs or machines under torchrun; one process alone is a team of one."""

from __future__ import annotations

import os
from types import TracebackType

import torch
from torch import distributed

from domain.errors import UserFacingError
from training.config import TrainConfig
from training.share import Share

_COMMANDS = (None, "pause", "resume", "stop", "finish", "preview")


class Team:
    """The processes of one run."""

    def __init__(self, share: Share, local_rank: int, device_type: str) -> None:
        self.share = share
        self.local_rank = local_rank
        self._device_type = device_type

    @property
    def is_first(self) -> bool:
        """Whether this process speaks, saves and evaluates for all."""
        return self.share.rank == 0

    def agree(self, command: str | None) -> str | None:
        """The command that the first process heard, in all processes at the same step."""
        if self.share.world == 1:
            return command
        number = torch.tensor([_COMMANDS.index(command) if command in _COMMANDS else 0])
        distributed.broadcast(number, 0, group=self.share.control)
        return _COMMANDS[int(number.item())]

    def check_same(self, step: int) -> None:
        """Refuse to go on where processes begin at different steps; called by all of them.

        Raises:
            UserFacingError: another process found another checkpoint, or none.
        """
        if self.share.world == 1:
            return
        # Smallest step, and smallest of its opposites: the largest.
        ends = torch.tensor([step, -step])
        distributed.all_reduce(ends, distributed.ReduceOp.MIN, group=self.share.control)
        first, last = int(ends[0]), -int(ends[1])
        if first != last:
            raise UserFacingError(
                f"The processes of this run begin at different steps ({first} and {last}).",
                "The run's folder must be the same one, with the same checkpoints, on all machines.",
            )

    def share_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """The first process's tensor, in all processes."""
        if self.share.world > 1:
            sent = tensor.to(self._device())
            distributed.broadcast(sent, 0)
            tensor.copy_(sent)
        return tensor

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.share.world > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    def _device(self) -> torch.device:
        return torch.device("cuda", self.local_rank) if self._device_type == "cuda" else torch.device("cpu")


def join_team(config: TrainConfig) -> Team:
    """The team that torchrun describes in the environment, or this process alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = config.device.startswith("cuda") or (config.device == "auto" and torch.cuda.is_available())
    if world > 1 and not distributed.is_initialized():
        if on_gpu:
            torch.cuda.set_device(local_rank)
        distributed.init_process_group("nccl" if on_gpu else "gloo")
    rank = int(os.environ.get("RANK", "0")) if world > 1 else 0
    # Words travel over the CPU: asking a GPU for one would stop its queue of work at every step.
    control = distributed.new_group(backend="gloo") if world > 1 else None
    return Team(Share(rank, world, control), local_rank, "cuda" if on_gpu else "cpu")
