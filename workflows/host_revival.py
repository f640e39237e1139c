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
MAX_FINAL = 3


class HostRevival:
    """Waits for nobody: `look` is called as often as samples are polled, the work is done on a thread.

    go_on: what to do once the host streams again (begin a recording, say); given the seconds and tries that it took.
    It may raise what the host raises and is then tried again. `final` errors are tried `MAX_FINAL` times only; then
    `on_given_up` is told, and the host is left as it is until it dies once more.
    """

    def __init__(
        self,
        host: Callable[[], TrackerHost],
        go_on: Callable[[float, int], None],
        *,
        on_given_up: Callable[[UserFacingError], None] | None = None,
        final: type[UserFacingError] | None = None,
    ) -> None:
        self._host = host
        self._go_on = go_on
        self._on_given_up = on_given_up
        self._final = final
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._is_starting = False

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
        """No more. A host that is just being started is ended: nobody waits for a tracker that nobody wants."""
        self._closing.set()
        thread = self._thread
        while thread is not None and thread.is_alive():
            if self._is_starting:
                self._host().kill()
            thread.join(0.05)

    def _run(self) -> None:
        began = time.perf_counter()
        wait_s, tries, n_final = FIRST_WAIT_S, 0, 0
        while not self._closing.is_set():
            tries += 1
            try:
                self._start()
                if not self._closing.is_set():
                    self._go_on(time.perf_counter() - began, tries)
                return
            except (UserFacingError, OSError) as error:
                log.info("attempt %d to start the tracker host again failed: %s", tries, error)
                if self._final is not None and isinstance(error, self._final):
                    n_final += 1
                    if n_final >= MAX_FINAL:
                        self._give_up(error)
                        return
                self._closing.wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            except Exception:
                log.exception("the tracker host was started again, but the recording does not go on")
                return

    def _start(self) -> None:
        host = self._host()
        if host.has_died:
            self._is_starting = True
            try:
                host.restart()
            finally:
                self._is_starting = False

    def _give_up(self, error: UserFacingError) -> None:
        log.warning("the tracker host is back, but %s", error)
        if self._on_given_up is not None:
            self._on_given_up(error)
