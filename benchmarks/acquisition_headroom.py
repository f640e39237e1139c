"""Head-room: five times the fastest tracker's rate for a minute, nothing lost. [--seconds 60] [--quick]"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show
from workflows.record_session import RecordSession


def main() -> None:
    given = arguments(__doc__ or "", seconds=60.0, rate=6000.0).parse_args()
    seconds = 10.0 if given.quick else given.seconds
    with tempfile.TemporaryDirectory() as folder:
        session = RecordSession(Path(folder), TrackerSettings("simulated", rate_hz=given.rate), finds_fixations=False)
        session.open()
        host = psutil.Process(session.host.pid)
        before, began = sum(host.cpu_times()[:2]), time.perf_counter()
        time.sleep(seconds)
        cpu = (sum(host.cpu_times()[:2]) - before) / (time.perf_counter() - began)
        samples = session.close().samples
    # The device's own stamps say how many there were, whatever the host numbered.
    missing = int(np.sum(np.rint(np.diff(samples.device_us) * given.rate / 1e6) - 1))
    holes = int(np.sum(np.diff(samples.seq) - 1))
    lost = max(holes, missing)
    show(
        f"{given.rate:g} Hz for {seconds:g} s: {len(samples)} samples, host at {cpu:.1%} of a core",
        [Figure("samples lost", str(lost), "0", lost == 0)],
    )


if __name__ == "__main__":
    main()
