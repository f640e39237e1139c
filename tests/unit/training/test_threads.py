from __future__ import annotations

import os

import psutil
import pytest

from training.threads import threads_beside_a_window


@pytest.mark.parametrize(("here", "whole", "expected"), [(1, 1, 1), (2, 2, 1), (8, 8, 7), (16, 8, 8), (4, None, 3)])
def test_that_one_processor_stays_with_the_window(
    monkeypatch: pytest.MonkeyPatch, here: int, whole: int | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(here)), raising=False)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: whole)
    assert threads_beside_a_window() == expected
