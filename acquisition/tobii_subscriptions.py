"""What is subscribed to at a Tobii tracker through tobii-research: subscriptions keep it alive in the SDK."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

Callback = Callable[[Any], None]  # Any: what the SDK sends


class SdkSubscriptions:
    """Notifications, which stay, and streams, which come and go. An error in a callback is told once, never raised."""

    def __init__(self, tracker: Any, on_error: Callable[[str, Exception], None]) -> None:  # Any: an object of the SDK
        self._tracker = tracker
        self._on_error = on_error
        self._known: list[tuple[str, Callback]] = []
        self._streams: set[str] = set()

    def add(self, stream: str, callback: Callback, *, is_guarded: bool = False) -> None:
        """Subscribe; `is_guarded`: the callback itself never raises."""

        def never_raising(data: Any) -> None:  # Any: what the SDK sends
            try:
                callback(data)
            except Exception as error:  # noqa: BLE001 - raised here it turns into a NameError in the SDK's C layer
                self._on_error(stream, error)

        taking = callback if is_guarded else never_raising
        self._tracker.subscribe_to(stream, taking, as_dictionary=True)
        self._known.append((stream, taking))

    def add_stream(self, stream: str, callback: Callback, *, is_guarded: bool = False) -> None:
        """Subscribe to something that ends with `end_streams`."""
        self.add(stream, callback, is_guarded=is_guarded)
        self._streams.add(stream)

    def end_streams(self) -> None:
        """Unsubscribe from the streams; notifications stay."""
        self._end(lambda stream: stream in self._streams)
        self._streams.clear()

    def end_all(self) -> None:
        """Unsubscribe from everything."""
        self._end(lambda stream: True)

    def _end(self, wanted: Callable[[str], bool]) -> None:
        kept = []
        for stream, callback in self._known:
            if wanted(stream):
                with contextlib.suppress(Exception):  # a lost tracker cannot be unsubscribed from
                    self._tracker.unsubscribe_from(stream, callback)
            else:
                kept.append((stream, callback))
        self._known = kept
