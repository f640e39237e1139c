"""A connection lost for 1.5 s: when samples come again, and whether the gap is named. [--losses 10] [--quick]"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show
from domain.session import GapCause
from workflows.record_session import RecordSession

LOSS_S = 1.5


def main() -> None:
    given = arguments(__doc__ or "", losses=10.0).parse_args()
    n = 2 if given.quick else int(given.losses)
    gaps_s, named = [], 0
    for number in range(n):
        fault = {
            "at_s": 0.5 + 0.037 * number,
            "kind": "disconnect",
            "duration_s": LOSS_S,
            "device_says_restored": number % 2 == 0,
        }
        settings = TrackerSettings("simulated", rate_hz=1200.0, seed=number, options={"faults": [fault]})
        with tempfile.TemporaryDirectory() as folder:
            session = RecordSession(Path(folder), settings, finds_fixations=False)
            session.open()
            deadline = time.monotonic() + 30.0
            while time.monotonic() < deadline and "reconnected" not in [e.kind for e in session.events()]:
                time.sleep(0.01)
            time.sleep(0.3)
            record = session.close()
        found = [gap for gap in record.gaps if gap.cause is GapCause.DISCONNECTED]
        named += len(found) == 1
        gaps_s += [gap.duration_ms / 1000.0 for gap in found]
    worst = max(gaps_s, default=float("inf"))
    show(
        f"{n} losses of {LOSS_S} s, half of them without the device saying that it is back",
        [
            Figure("last sample to next sample, worst", f"{worst:.3f} s", "< 2 s", worst < 2.0),
            Figure("gaps recorded with their cause", f"{named} of {n}", "all", named == n),
        ],
    )


if __name__ == "__main__":
    main()
