"""An hour at 1200 Hz, recorded as fast as it goes, and made a session file. [--minutes 60] [--quick]"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil

from acquisition.finalise import finalise
from acquisition.tracker import TrackerSettings
from benchmarks.figure_table import Figure, arguments, show
from storage.session_file import read_session
from workflows.record_session import RecordSession

RATE_HZ = 1200.0


def peak_mb() -> float:
    info = psutil.Process().memory_info()
    return float(getattr(info, "peak_wset", 0) or _peak_rss_bytes()) / 2**20


def _peak_rss_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    given = arguments(__doc__ or "", minutes=60.0).parse_args()
    minutes = 3.0 if given.quick else given.minutes
    with tempfile.TemporaryDirectory() as folder:
        session = RecordSession(Path(folder), TrackerSettings(rate_hz=RATE_HZ, speed=0.0), finds_fixations=False)
        session.open()
        began = time.perf_counter()
        session.advance(minutes * 60.0)
        recorded_s = time.perf_counter() - began
        session.stop()
        session.host.close()
        before_mb = peak_mb()
        began = time.perf_counter()
        record = finalise(session.journal_path, session.session_path)
        published_s = time.perf_counter() - began
        size_mb = session.session_path.stat().st_size / 2**20
        n = len(record.samples)
        del record
        began = time.perf_counter()
        read_session(session.session_path)
        read_s = time.perf_counter() - began
    show(
        f"{n} simulated samples recorded in {recorded_s:.0f} s; file {size_mb:.0f} MB, read in {read_s:.1f} s",
        [
            Figure("samples", str(n), "all of them", n == int(minutes * 60 * RATE_HZ) + 1),
            Figure("journal to verified session file", f"{published_s:.1f} s", "", None),
            Figure("peak memory while publishing", f"{peak_mb():.0f} MB (before {before_mb:.0f})", "", None),
        ],
    )


if __name__ == "__main__":
    main()
