"""What worker and application say to each other: one JSON object per line.

Worker to application (key `event`):
    state        state, text            where the run stands (States)
    progress     done, total, text      while validating, caching, finalising
    finding      kind, message, hint, items, is_fatal     what the check of the data found
    estimate     device, seconds, memory_bytes, text      before the first step
    step         step, total, loss, level_1.., agreement, disagreement, lr, it_per_s, eta_s, memory_bytes, micro_batch
    evaluation   step, split, dice, dice_low, dice_high, iou, n
    preview      step, files            example predictions, PNG
    machine      device, precision, threads, micro_batch, processes, torch     what computes, once before the first step
    saving       step                   told to stop: nothing is computed any more, the checkpoint is being written
    saved        step, path             a checkpoint is on disk
    heartbeat    state, step            once a second
    failed       reason, hint           the last line of a failed run
    done         model, step            the last line of a finished run
    stopped      step                   the last line of a stopped run; it can be resumed

Application to worker (key `command`): pause, resume, stop, finish (make the model of what was learned so far), preview.
The end of the worker's stdin means that the application is gone: the worker writes a checkpoint and leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any


class RunState(str, Enum):
    """Where a run stands."""

    QUEUED = "queued"
    VALIDATING = "validating"
    CACHING = "caching"
    COMPILING = "compiling"
    TRAINING = "training"
    PAUSED = "paused"
    FINALISING = "finalising"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more comes."""
        return self in (RunState.DONE, RunState.STOPPED, RunState.FAILED)


LAST_WORDS = ("done", "stopped", "failed")
"""Events after which nothing comes, and all files are written."""

Event = dict[str, Any]  # JSON values by name


def encoded(event: Event) -> bytes:
    """One line."""
    return (json.dumps(event, separators=(",", ":")) + "\n").encode()


def decoded(line: bytes) -> Event | None:
    """The event in a line, None for a line that is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def number_of(event: Mapping[str, Any], name: str) -> float:
    """A value of an event that should be a number; not a number where it is none."""
    value = event.get(name)
    return float(value) if isinstance(value, (int, float)) else float("nan")
