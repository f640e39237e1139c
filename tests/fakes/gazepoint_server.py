"""An Open Gaze server with the real one's manners: records in pieces, glued attributes, answers between records."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time


class GazepointServer:
    def __init__(self, rate_hz: float = 150.0) -> None:
        self.rate_hz = rate_hz
        self.looks_at: tuple[float, float] | None = (0.5, 0.5)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._connections: list[socket.socket] = []
        self.is_accepting = True
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if not self.is_accepting:
                connection.close()
                continue
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def unplug(self) -> None:
        self.is_accepting = False
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._connections.clear()

    def plug_in(self) -> None:
        self.is_accepting = True

    def close(self) -> None:
        self._closing.set()
        self.unplug()
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.002)
        rest, is_sending, n = "", False, 0
        began = time.monotonic_ns()
        with contextlib.suppress(OSError):
            while not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    piece = connection.recv(4096)
                    if not piece:
                        return
                    rest += piece.decode()
                *lines, rest = rest.split("\r\n")
                for line in lines:
                    name = re.search(r'ID="([A-Z_]+)"', line)
                    if name is None:
                        continue
                    if name[1] == "ENABLE_SEND_DATA":
                        is_sending, began, n = 'STATE="1"' in line, time.monotonic_ns(), 0
                    connection.sendall(self._answer(name[1]))
                due = int((time.monotonic_ns() - began) * self.rate_hz / 1e9) if is_sending else 0
                while n < due:
                    block = self._record(n, began).encode()
                    n += 1
                    connection.sendall(block[:37])  # in pieces
                    connection.sendall(block[37:])

    def _answer(self, name: str) -> bytes:
        facts = {
            "TIME_TICK_FREQUENCY": 'FREQ="10000000"',
            "SERIAL_ID": 'VALUE="GP-7"',
            "PRODUCT_ID": f'VALUE="GP3HD"BUS="USB3"RATE="{self.rate_hz:g}"',
        }
        return f'<ACK ID="{name}" {facts.get(name, "STATE=" + chr(34) + "1" + chr(34))} />\r\n'.encode()

    def _record(self, n: int, began: int) -> str:
        tick = (began // 100) + int(n * 1e7 / self.rate_hz)
        valid = int(self.looks_at is not None)
        x, y = self.looks_at or (0.0, 0.0)
        eyes = "".join(
            f'{side}POGX="{x:.5f}"{side}POGY="{y:.5f}" {side}POGV="{valid}" {side}EYEX="{offset}" {side}EYEY="0.15"'
            f' {side}EYEZ="0.64" {side}PUPILD="0.00325" {side}PUPILV="{valid}" '
            for side, offset in (("L", "-0.0315"), ("R", "0.0315"))
        )
        return f'<REC CNT="{n}" TIME="{n / self.rate_hz:.5f}" TIME_TICK="{tick}" {eyes}/>\r\n'
