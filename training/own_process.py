"""A question to a module that runs in a process of its own: JSON in, JSON out, and it can be stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from domain.errors import UserFacingError
from domain.events import CancelToken

_LOOK_EVERY_S = 0.2


def answer_of(
    module: str,
    question: dict[str, Any],
    *,
    refusal: str,
    timeout_s: float,
    cancel: CancelToken | None = None,
) -> Any:  # any JSON value
    """What `python -m module` answers on stdout to the question on its stdin. refusal: the message where it fails.

    Raises:
        UserFacingError: it failed, or took longer than timeout_s; the hint says why.
        Cancelled: stopped by the user; the process is gone.
    """
    root = str(Path(__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    asked: bytes | None = json.dumps(question).encode()
    deadline = time.monotonic() + timeout_s
    with process:
        try:
            while True:
                try:
                    out, err = process.communicate(asked, timeout=_LOOK_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    asked = None  # it is on its way already
                if cancel is not None:
                    cancel.raise_if_cancelled()
                if time.monotonic() > deadline:
                    raise UserFacingError(refusal, f"There was no answer in {timeout_s:.0f} s.")
        except BaseException:
            process.kill()
            raise
    last = err.decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise UserFacingError(refusal, last[-1] if last else "")
    try:
        return json.loads(out)
    except ValueError as error:
        raise UserFacingError(refusal, str(error)) from error
