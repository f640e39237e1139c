"""Giving a step up in the middle, as if it had not begun: on a processor one step may take half a minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class StepAbandoned(Exception):  # noqa: N818 - a decision of the user, not an error
    """A step was given up; weights, statistics and the count of steps are as they were before it."""


class Interruption:
    """Asks before and after each convolution, on the way forth and on the way back, whether the step is still wanted.

    Not for networks that are compiled, nor for several processes, which would wait for the one that gave up: without a
    network nobody asks within a step.
    """

    def __init__(self, net: nn.Module | None, is_wanted: Callable[[], bool]) -> None:
        self._net = net if net is not None else nn.Module()
        self._is_wanted = is_wanted
        self._is_armed = False
        for module in self._net.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.register_forward_hook(self._after_forward)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """A step that may be given up: it must not change weights before its last convolution is through.

        Raises:
            StepAbandoned: it was given up.
        """
        # Running statistics of batches change on the way forth already; weights do not.
        kept = [(buffer, buffer.clone()) for buffer in self._net.buffers()]
        self._is_armed = True
        try:
            yield
        except StepAbandoned:
            with torch.no_grad():
                for buffer, before in kept:
                    buffer.copy_(before)
            raise
        finally:
            self._is_armed = False

    def raise_if_wanted(self, *_anything: object) -> None:
        """Also for other work between two steps that can be left out.

        Raises:
            StepAbandoned: somebody wants to stop.
        """
        if self._is_wanted():
            raise StepAbandoned

    def _after_forward(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        if self._is_armed:
            self.raise_if_wanted()
            if output.requires_grad:
                output.register_hook(self.raise_if_wanted)  # type: ignore[no-untyped-call]  # torch has no types here
