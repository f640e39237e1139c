"""A marker's presented time against a fake swap clock, both on the time axis of the samples. [--seconds 30] [--quick]

A thread swaps frames at 60 fps at instants it knows; the handler reads the clock, as the application does in
`frameSwapped`. The error of a marker is its distance from the true instant, plus that of the sample times from the
simulated eye's own clock.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show
from domain.markers import VIEW_CHANGE, Marker, view_as_json
from domain.view import ImageView
from workflows.record_session import RecordSession


def main() -> None:
    given = arguments(__doc__ or "", seconds=30.0).parse_args()
    seconds = 5.0 if given.quick else given.seconds
    truths = []
    with tempfile.TemporaryDirectory() as folder:
        session = RecordSession(Path(folder), TrackerSettings("simulated", rate_hz=1200.0), finds_fixations=False)
        session.open()
        view = ImageView.fitted((600, 400), session.display.size_px)
        session.begin_trial("image", view)
        began = time.perf_counter_ns()
        for frame in range(int(seconds * 60)):
            swap_ns = began + int((frame + 1) * 1e9 / 60)
            while (left := swap_ns - time.perf_counter_ns()) > 0:
                if left > 2_000_000:
                    time.sleep((left - 1_500_000) / 1e9)  # the rest is waited for awake: the swap is exact
            presented_ns = time.perf_counter_ns()
            if frame % 3 == 0:
                truths.append(swap_ns)
                payload = {"view": view_as_json(view), "trial_id": session._trial_id}
                session.mark(Marker(VIEW_CHANGE, payload, presented_ns=presented_ns, frame=frame))
        session.end_trial()
        record = session.close()
    marks = np.array([marker.time_ns for marker in record.markers if marker.kind == VIEW_CHANGE])
    late_ms = np.abs(marks - np.array(truths)) / 1e6
    # The eye's own clock: sample k was made at system_us, which the simulated driver knows exactly.
    shift_ms = np.abs(record.samples.time_ns / 1e3 - record.samples.system_us) / 1e3
    total = np.percentile(late_ms, 99) + np.percentile(shift_ms, 99)
    all_there = len(marks) == len(truths)
    show(
        f"{len(marks)} markers; swap to reading: median {np.median(late_ms):.3f}, "
        f"p99 {np.percentile(late_ms, 99):.3f}, max {late_ms.max():.3f} ms; "
        f"sample times: p99 {np.percentile(shift_ms, 99):.3f} ms",
        [
            Figure("marker against the swap, p99", f"{total:.3f} ms", "<= 1 ms", bool(total <= 1.0)),
            Figure("markers in the session", f"{len(marks)} of {len(truths)}", "all", all_there),
        ],
    )


if __name__ == "__main__":
    main()
