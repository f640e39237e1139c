"""From the capture of a gaze sample to when another process can read it as the newest. [--seconds 30] [--quick]"""

from __future__ import annotations

import time

import numpy as np

from acquisition.host import TrackerHost
from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show


def main() -> None:
    given = arguments(__doc__ or "", seconds=30.0, rate=1200.0).parse_args()
    seconds = 5.0 if given.quick else given.seconds
    latencies = []
    with TrackerHost(TrackerSettings("simulated", rate_hz=given.rate)) as host:
        time.sleep(1.0)
        position = host.ring.head
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if host.ring.head > position:
                rows, position, _ = host.read_since(position)
                now = host.now_ns()
                latencies.append((now - rows["time_ns"][-1]) / 1e6)
            time.sleep(0.0002)
    ms = np.array(latencies)
    p99 = float(np.percentile(ms, 99))
    show(
        f"{len(ms)} looks at {given.rate:g} Hz: median {np.median(ms):.2f} ms, max {ms.max():.2f} ms",
        [Figure("newest sample's age when it can be read, p99", f"{p99:.2f} ms", "< 5 ms", p99 < 5.0)],
    )


if __name__ == "__main__":
    main()
