"""How long the Tobii driver's gaze callback takes while a journal is written: the fake of tobii_research calls it.

python -m benchmarks.driver_callback [--seconds 60] [--rate 1200] [--quick]
"""

from __future__ import annotations

import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acquisition.priority import ask_for_priority, favour_callbacks
from acquisition.recorder import Recorder
from acquisition.ring import Ring, shared_folder
from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show

FAKES = Path(__file__).resolve().parent.parent / "tests" / "fakes"


def main() -> None:
    given = arguments(__doc__ or "", seconds=60.0, rate=1200.0).parse_args()
    seconds = 10.0 if given.quick else given.seconds
    sys.path.insert(0, str(FAKES))
    import tobii_research

    from acquisition.trackers.tobii import TobiiTracker

    # Without the openness stream: its pairing is measured apart below.
    device = tobii_research.devices[0]
    device.capabilities = tuple(c for c in device.capabilities if "openness" not in c)
    durations: list[int] = []
    deliver = tobii_research.EyeTracker._deliver

    def timed(self: object, stream: str, data: dict) -> None:
        if stream != tobii_research.EYETRACKER_GAZE_DATA:
            deliver(self, stream, data)
            return
        began = time.perf_counter_ns()
        deliver(self, stream, data)
        durations.append(time.perf_counter_ns() - began)

    tobii_research.EyeTracker._deliver = timed
    ring = Ring(shared_folder() / f"sightline-benchmark-{time.time_ns()}.ring", create=True)
    ring.touch()
    tracker = TobiiTracker(TrackerSettings("tobii", rate_hz=given.rate), ring.clock)
    recorder = Recorder(ring, lambda _kind, _payload: None, system_offset_ns=tracker.system_offset_ns)
    with tempfile.TemporaryDirectory() as folder:
        favour_callbacks()  # as the host does
        recorder.start(Path(folder) / "a.journal", {})
        tracker.start(recorder)
        time.sleep(seconds)
        tracker.close()
        end = recorder.stop()
    recorder.close()
    ring.close(remove=True)
    bare_us = bare_loop(given.rate, seconds)
    us = np.array(durations[100:]) / 1000.0
    p50, p99, highest = np.percentile(us, 50), np.percentile(us, 99), us.max()
    show(
        f"{len(us)} callbacks at {given.rate:g} Hz (median {p50:.1f} us), {end['n_samples']} samples in the journal, "
        f"{'raised' if ask_for_priority() else 'normal'} priority",
        [
            Figure("callback p99", f"{p99:.1f} us", "< 50 us", p99 < 50),
            Figure("callback max", f"{highest / 1000:.2f} ms", "< 5 ms", highest < 5000),
            Figure(
                f"this machine alone: {np.median(bare_us):.0f} us of packing, p99",
                f"{np.percentile(bare_us, 99):.1f} us",
                "-",
                None,
            ),
        ],
    )


def bare_loop(rate_hz: float, seconds: float) -> NDArray[np.float64]:
    """What the machine itself does to a little work that comes as often, with no recorder: microseconds, one each."""
    layout, row, values = struct.Struct("<32f"), bytearray(128), [1.0] * 32
    taken = []
    due_s = time.perf_counter()
    for _ in range(int(seconds * rate_hz)):
        due_s += 1.0 / rate_hz
        time.sleep(max(0.0, due_s - time.perf_counter()))
        began = time.perf_counter_ns()
        for _ in range(8):
            layout.pack_into(row, 0, *values)
        taken.append(time.perf_counter_ns() - began)
    return np.array(taken[100:]) / 1000.0


if __name__ == "__main__":
    main()
