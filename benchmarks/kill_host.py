"""kill -9 of the tracker host at random times: what is lost, and whether what is recovered is a true prefix.

python -m benchmarks.kill_host [--kills 50] [--quick]
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from acquisition.finalise import recover_all
from acquisition.simulated_eye import SimulatedEye
from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show
from storage.session_file import read_session
from workflows.record_session import RecordSession

RATE_HZ = 1200.0
FIELDS = ("gaze_norm", "gaze_mm", "origin_mm", "pupil_mm", "openness_mm", "gaze_valid", "device_us")


def main() -> None:
    given = arguments(__doc__ or "", kills=50.0).parse_args()
    n_kills = 5 if given.quick else int(given.kills)
    chance = random.Random(7)
    lost_ms, n_recovered, n_true, noticed_s = [], 0, 0, []
    for seed in range(n_kills):
        settings = TrackerSettings("simulated", rate_hz=RATE_HZ, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            session = RecordSession(Path(folder), settings, finds_fixations=False)
            session.open()
            time.sleep(chance.uniform(0.1, 1.5))
            psutil.Process(session.host.pid).kill()
            began = time.perf_counter()
            while session.host.is_alive:
                time.sleep(0.001)
            noticed_s.append(time.perf_counter() - began)
            newest = int(session.host.latest(1)["seq"][-1])
            session.host.close()
            (found,) = recover_all(Path(folder))
            if found.session is None:
                continue
            n_recovered += 1
            rows = read_session(found.session).samples.to_records()
            lost_ms.append((newest - int(rows["seq"][-1])) * 1000.0 / RATE_HZ)
            eye = SimulatedEye(settings.display, RATE_HZ, seed=seed)
            made = eye.generate(int(rows["seq"][-1]) + 1)[rows["seq"]]
            contiguous = bool(np.all(np.diff(rows["seq"]) == 1))
            n_true += contiguous and all(rows[name].tobytes() == made[name].tobytes() for name in FIELDS)
    worst = max(lost_ms, default=float("inf"))
    show(
        f"{n_kills} kills at {RATE_HZ:g} Hz, median loss {np.median(lost_ms):.1f} ms",
        [
            Figure("lost at most", f"{worst:.1f} ms", "<= 50 ms", worst <= 50),
            Figure("recovered", f"{n_recovered} of {n_kills}", "all", n_recovered == n_kills),
            Figure("bit-equal prefix of what the eye made", f"{n_true} of {n_kills}", "all", n_true == n_kills),
            Figure("death shown within", f"{max(noticed_s):.2f} s", "< 1 s", max(noticed_s) < 1.0),
        ],
    )


if __name__ == "__main__":
    main()
