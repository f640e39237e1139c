"""The part of a run's work that one process does, and what it settles with the others at each step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor, distributed, nn

from domain.errors import UserFacingError

# Gradients travel in pieces of this size: large enough for the network's speed, small beside the gradients themselves.
_BUCKET_BYTES = 32 << 20


class Trouble(IntEnum):
    """How a process's part of a step went; the worst of all counts for all."""

    NONE = 0
    MEMORY = 1
    FAILED = 2


@dataclass(frozen=True)
class Share:
    """Rank of world. control: a group of the CPU over which processes agree, None for one process alone.

    Gradients are added up here and not by DistributedDataParallel: that one sends while backward still runs, and a
    process that runs out of memory in the middle leaves the others waiting for a message that never comes. Here every
    process first says how its part went.
    """

    rank: int = 0
    world: int = 1
    control: Any = None  # distributed.ProcessGroup, which a build of torch without distributed lacks

    def worst(self, trouble: Trouble) -> Trouble:
        """The worst that any process met; the same answer in all of them.

        Raises:
            UserFacingError: a process is gone.
        """
        if self.world == 1:
            return trouble
        number = torch.tensor([int(trouble)])
        try:
            distributed.all_reduce(number, distributed.ReduceOp.MAX, group=self.control)
        except RuntimeError as error:
            raise UserFacingError(
                "Another process of this run is gone.", "Resume goes on from the last checkpoint."
            ) from error
        return Trouble(int(number.item()))

    def tell_failure(self, error: BaseException | None) -> UserFacingError:
        """What the others are told: the first failing process's reason; called by all processes."""
        reasons: list[Any] = [None] * self.world
        own = None if error is None else f"{type(error).__name__}: {error}"
        distributed.all_gather_object(reasons, own, group=self.control)
        rank, reason = next(((rank, text) for rank, text in enumerate(reasons) if text), (0, "unknown"))
        return UserFacingError(
            f"Process {rank} of {self.world} failed: {reason}", "Its trace is in the output of torchrun."
        )

    def add_up(self, net: nn.Module) -> None:
        """Mean of the gradients of all processes, and the first process's buffers, in place."""
        if self.world == 1:
            return
        for buffer in net.buffers():
            distributed.broadcast(buffer, 0)
        for bucket in _buckets([p.grad for p in net.parameters() if p.grad is not None]):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            distributed.all_reduce(flat)
            flat /= self.world
            start = 0
            for gradient in bucket:
                gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
                start += gradient.numel()


def _buckets(gradients: list[Tensor]) -> list[list[Tensor]]:
    """Gradients of one type in groups that are sent at once."""
    found: list[list[Tensor]] = []
    size = 0
    for gradient in gradients:
        if not found or size >= _BUCKET_BYTES or found[-1][0].dtype != gradient.dtype:
            found.append([])
            size = 0
        found[-1].append(gradient)
        size += gradient.numel() * gradient.element_size()
    return found
