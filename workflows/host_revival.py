"""A tracker host that has died is started again, in the background and as often as it takes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from acquisition.host import TrackerHost
from domain.errors import UserFacingError

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0


class HostRevival:
    """Waits for nobody: `look` is called as often as samples are polled, the work is done on a thread.

    go_on: what to do once the host streams again (begin a recording, say); given the seconds and tries that it took.
    It may raise what the host raises and is then tried again.
    """

    def __init__(self, host: Callable[[], TrackerHost], go_on: Callable[[float, int], None]) -> None:
        self._host = host
        self._go_on = go_on
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def look(self) -> bool:
        """Begin to revive a host that has died; whether that is under way."""
        if self._thread is not None and self._thread.is_alive():
            return True
        if self._closing.is_set() or not self._host().has_died:
            return False
        self._thread = threading.Thread(target=self._run, name="host-revival", daemon=True)
        self._thread.start()
        return True

    def close(self) -> None:
        """No more; waits for an attempt under way."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        began = time.perf_counter()
        wait_s, tries = FIRST_WAIT_S, 0
        host = self._host()
        while not self._closing.is_set():
            tries += 1
            try:
                if host.has_died:
                    host.restart()
                self._go_on(time.perf_counter() - began, tries)
            except (UserFacingError, OSError) as error:
                log.info("attempt %d to start the tracker host again failed: %s", tries, error)
                self._closing.wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            except Exception:
                log.exception("the tracker host was started again, but the recording does not go on")
                return
            else:
                return
