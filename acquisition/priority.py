"""What the tracker host does so that a driver's callback waits for nobody: on the processor and in the interpreter."""

from __future__ import annotations

import gc
import logging
import os
import sys

log = logging.getLogger(__name__)

SWITCH_S = 0.0002
"""How long another thread may keep the interpreter from a waiting callback; Python's own 5 ms is too long."""

NICE = -10
_HIGH_PRIORITY_CLASS = 0x80


def favour_callbacks() -> None:
    """Make the driver's callbacks wait as little as possible: processor first, short turns, few collector pauses."""
    ask_for_priority()
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()


def ask_for_priority() -> bool:
    """Come before other programs where the system allows that to this user; the host needs a few per cent of a core.

    Windows allows it to everybody; Linux and macOS only with the right to it (on Linux `nice` in limits.conf).
    """
    try:
        if sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            return bool(kernel.SetPriorityClass(kernel.GetCurrentProcess(), _HIGH_PRIORITY_CLASS))
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except OSError as error:
        log.info("the host runs at normal priority: %s", error)
        return False
    return True
