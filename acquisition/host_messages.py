"""Messages between the application and the tracker host: JSON and bytes, framed, over a pipe of any two Pythons."""

from __future__ import annotations

import json
import struct
import threading
from typing import Any, BinaryIO

_LENGTHS = struct.Struct("<II")


class MessagePipe:
    """Sends and receives messages; sending is safe from several threads."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def send(self, values: dict[str, Any], blob: bytes = b"") -> None:
        """Send one message.

        Raises:
            OSError: the other side is gone.
        """
        text = json.dumps(values).encode()
        with self._lock:
            self._outgoing.write(_LENGTHS.pack(len(text), len(blob)) + text + blob)
            self._outgoing.flush()

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """The next message, or None when the other side is gone."""
        try:
            head = self._exactly(_LENGTHS.size)
            if head is None:
                return None
            n_text, n_blob = _LENGTHS.unpack(head)
            text = self._exactly(n_text)
            blob = self._exactly(n_blob) if n_blob else b""
        except (OSError, ValueError):  # ValueError: the pipe was closed by this side
            return None
        if text is None or blob is None:
            return None
        values: dict[str, Any] = json.loads(text)
        return values, blob

    def _exactly(self, n: int) -> bytes | None:
        block = self._incoming.read(n)
        return block if len(block) == n else None

    def close(self) -> None:
        """Close this side's end."""
        with self._lock:
            self._outgoing.close()
