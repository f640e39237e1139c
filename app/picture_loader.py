"""What a screen shows is read beside the window: the picture that is wanted first, then its neighbours in the list."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from PySide6.QtCore import QTimer

from app.background_task import Task, TaskRunner

_log = logging.getLogger(__name__)
SLOW_AFTER_MS = 200
"""Nobody notices a shorter wait; a word that comes and goes within it would only flicker."""

Key = TypeVar("Key", bound=Hashable)
Picture = TypeVar("Picture")


class PictureLoader(Generic[Key, Picture]):
    """One picture is wanted at a time; whatever was wanted before is dropped, also if it is read later.

    `on_shown` is called in the GUI thread, before `want` returns where the picture was read ahead. Until it is called,
    `shown` is None and no key may act: what stands on the screen is not what is wanted. `on_slow` is called where that
    takes longer than `SLOW_AFTER_MS`, `on_failed` where the picture cannot be read.
    """

    def __init__(
        self,
        tasks: TaskRunner,
        read: Callable[[Key], Picture],
        *,
        on_shown: Callable[[Key, Picture], object],
        on_failed: Callable[[Key, BaseException], object],
        on_slow: Callable[[Key], object],
    ) -> None:
        self._tasks = tasks
        self._read = read
        self._on_shown, self._on_failed, self._on_slow = on_shown, on_failed, on_slow
        self._wanted: Key | None = None
        self._shown: Key | None = None
        self._ahead: tuple[Key, ...] = ()
        self._kept: dict[Key, Picture] = {}
        self._under_way: dict[Key, Task] = {}
        self._slow_timer = QTimer()
        self._slow_timer.setSingleShot(True)
        self._slow_timer.setInterval(SLOW_AFTER_MS)
        self._slow_timer.timeout.connect(self._on_timeout)

    @property
    def wanted(self) -> Key | None:
        """What was asked for last; None after `stop`."""
        return self._wanted

    @property
    def shown(self) -> Key | None:
        """What was handed to `on_shown`, as long as nothing else is wanted."""
        return self._shown

    @property
    def is_waiting(self) -> bool:
        """Whether a picture is wanted that has neither come nor failed yet."""
        return self._wanted is not None and self._wanted in self._under_way

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being read, neither what is wanted nor what may come next."""
        return not self._under_way

    def want(self, key: Key, *, ahead: Sequence[Key] = ()) -> None:
        """Show this picture as soon as it is read, then read those `ahead`; all others are let go."""
        self._wanted, self._shown, self._ahead = key, None, tuple(ahead)
        near = {key, *self._ahead}
        for other in [other for other in self._kept if other not in near]:
            del self._kept[other]
        for other in [other for other in self._under_way if other not in near]:
            self._under_way.pop(other).cancel()
        if key in self._kept:
            self._show()
        else:
            self._slow_timer.start()
            self._start(key)

    def forget(self, key: Key) -> None:
        """What was read of it holds no longer; it is read again when it is wanted again."""
        self._kept.pop(key, None)
        if key in self._under_way:
            self._under_way.pop(key).cancel()
            if key == self._wanted:
                self._start(key)

    def stop(self) -> None:
        """Want nothing and keep nothing."""
        self._slow_timer.stop()
        for task in self._under_way.values():
            task.cancel()
        self._under_way.clear()
        self._kept.clear()
        self._wanted = self._shown = None

    def _start(self, key: Key) -> None:
        if key in self._under_way:
            return
        read = self._read
        task = self._tasks.start(
            "",
            lambda _report, _cancel: read(key),
            on_done=partial(self._on_read, key),
            on_failed=partial(self._on_error, key),
        )
        if not task.is_over:
            self._under_way[key] = task

    def _on_read(self, key: Key, picture: Picture) -> None:
        self._under_way.pop(key, None)
        self._kept[key] = picture
        if key == self._wanted and self._shown is None:
            self._show()

    def _on_error(self, key: Key, error: BaseException) -> None:
        self._under_way.pop(key, None)
        if key == self._wanted:
            self._slow_timer.stop()
            self._on_failed(key, error)
        else:  # said when somebody wants to see it
            _log.info("%s cannot be read ahead: %s", key, error)

    def _show(self) -> None:
        key = self._wanted
        if key is None:
            return
        self._slow_timer.stop()
        self._shown = key
        self._on_shown(key, self._kept[key])
        if self._shown == key:  # showing it may have led on to another
            for other in self._ahead:
                if other not in self._kept:
                    self._start(other)

    def _on_timeout(self) -> None:
        if self.is_waiting and self._wanted is not None:
            self._on_slow(self._wanted)
