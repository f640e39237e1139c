"""What a worker process does before it loads anything else."""

from __future__ import annotations

import os


def use_one_thread() -> None:
    """Tell the numeric libraries, which are loaded after this, to use one thread: the workers share the cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = "1"
