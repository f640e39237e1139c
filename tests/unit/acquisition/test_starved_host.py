"""A tracker host that the system does not schedule: nothing is lost, nobody else is blamed, and it is written down."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from acquisition.gaps import n_missing_by_device
from acquisition.tracker import HOST_LATE, TrackerSettings
from domain.session import GapCause
from workflows.record_session import RecordSession

RATE_HZ = 1200.0
pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signal that stops a process for a while"
)


@pytest.mark.parametrize("seconds", [0.12, 0.3, 1.3])
def test_that_a_host_that_was_not_scheduled_loses_nothing_and_blames_nobody(tmp_path: Path, seconds: float) -> None:
    session = RecordSession(tmp_path, TrackerSettings("simulated", rate_hz=RATE_HZ))
    session.open()
    time.sleep(0.3)
    os.kill(session.host.pid, signal.SIGSTOP)
    time.sleep(seconds)
    assert session.host.is_alive  # late is not dead
    os.kill(session.host.pid, signal.SIGCONT)
    time.sleep(0.5)
    kinds = [event.kind for event in session.events()]
    record = session.close()
    assert len(record.samples) > RATE_HZ * (seconds + 0.5)
    assert n_missing_by_device(record.samples.device_us, RATE_HZ) == 0
    assert np.all(np.diff(record.samples.seq) == 1)
    assert record.quality["n_overflow"] == 0
    assert "tracker_silent" not in kinds
    assert "tracker_silent" not in [told.kind for told in record.notifications]
    assert not [gap for gap in record.gaps if gap.cause not in (GapCause.BLINK, GapCause.EYES_LOST)]
    late = [told for told in record.notifications if told.kind == HOST_LATE]
    if seconds >= 1.0:
        assert max(told.payload["seconds"] for told in late) == pytest.approx(seconds, abs=0.3)
