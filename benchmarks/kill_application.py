"""kill -9 of the application while the host records: nothing is lost. [--kills 10] [--quick]"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from acquisition.finalise import recover_all
from benchmarks.figure_table import Figure, arguments, show
from storage.journal import is_being_written, read_journal

PROGRAM = """
import sys, time
from pathlib import Path
from acquisition.tracker import TrackerSettings
from workflows.record_session import RecordSession
session = RecordSession(Path(sys.argv[1]), TrackerSettings("simulated", rate_hz=1200.0), finds_fixations=False)
session.open()
start = session.host.ring.head
print("ready", flush=True)
while True:
    time.sleep(0.001)
    print(session.host.ring.head - 1, flush=True)
"""


def main() -> None:
    given = arguments(__doc__ or "", kills=10.0).parse_args()
    n_kills = 3 if given.quick else int(given.kills)
    chance = random.Random(11)
    lost, closed, recovered = 0, 0, 0
    for _ in range(n_kills):
        with tempfile.TemporaryDirectory() as folder:
            application = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, folder], stdout=subprocess.PIPE, text=True, encoding="ascii"
            )
            assert_pipe = application.stdout
            if assert_pipe is None:
                raise RuntimeError("no pipe")
            assert_pipe.readline()
            deadline = time.monotonic() + chance.uniform(0.3, 1.5)
            seen = 0
            while time.monotonic() < deadline:
                seen = int(assert_pipe.readline())
            application.kill()
            rest = [line for line in assert_pipe.read().split("\n")[:-1] if line]
            seen = int(rest[-1]) if rest else seen
            application.wait()
            (journal,) = Path(folder).glob("*.journal")
            while is_being_written(journal):
                time.sleep(0.02)
            found = read_journal(journal)
            closed += found.end is not None
            holes = int(np.sum(np.diff(found.samples["seq"]) - 1))
            lost += holes + max(0, seen - int(found.samples["seq"][-1]))
            recovered += recover_all(Path(folder))[0].session is not None
    show(
        f"{n_kills} kills of the application at 1200 Hz",
        [
            Figure("samples lost", str(lost), "0", lost == 0),
            Figure("journals closed by the host itself", f"{closed} of {n_kills}", "all", closed == n_kills),
            Figure("session files made", f"{recovered} of {n_kills}", "all", recovered == n_kills),
        ],
    )


if __name__ == "__main__":
    main()
