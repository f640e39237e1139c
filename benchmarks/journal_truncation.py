"""Truncates a journal at every byte of its last 64 KiB: always a valid prefix, never an exception. [--quick]"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.figure_table import Figure, arguments, show
from domain.gaze import SAMPLE_RECORD
from storage.journal import JournalEvent, JournalWriter, read_journal


def main() -> None:
    given = arguments(__doc__ or "", kib=64.0).parse_args()
    n_bytes = 4096 if given.quick else int(given.kib * 1024)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.journal"
        writer = JournalWriter(path, {"session_id": "benchmark"})
        n = 0
        while writer.n_bytes < n_bytes + 4096:
            rows = np.zeros(int(rng.integers(1, 40)), SAMPLE_RECORD)
            rows["seq"] = np.arange(n, n + len(rows))
            rows["gaze_norm"] = rng.random((len(rows), 2, 2))
            n += len(rows)
            writer.write_samples(rows)
            writer.write_event(JournalEvent("marker", {"n": n}, bytes(int(rng.integers(0, 50)))))
        writer.close({"reason": "complete"})
        whole = read_journal(path).samples.tobytes()
        size = path.stat().st_size
        exceptions = wrong = 0
        last = len(whole)
        for length in range(size - 1, size - n_bytes - 1, -1):
            with path.open("r+b") as file:
                file.truncate(length)
            try:
                got = read_journal(path).samples.tobytes()
            except Exception as error:  # noqa: BLE001 - counted: this is what must never happen
                exceptions += 1
                print(length, error)
                continue
            wrong += not whole.startswith(got) or len(got) > last
            last = len(got)
    show(
        f"{n_bytes} truncations of a journal of {size} bytes",
        [
            Figure("exceptions", str(exceptions), "0", exceptions == 0),
            Figure("not a valid prefix", str(wrong), "0", wrong == 0),
        ],
    )


if __name__ == "__main__":
    main()
