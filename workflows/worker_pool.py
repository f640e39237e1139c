"""Many small pieces of work, in processes of this machine or on a Dask cluster: the same engine for both."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from domain.errors import MissingPackageError, UserFacingError
from domain.events import CancelToken
from workflows.one_thread import use_one_thread

R = TypeVar("R")

WAITING_PER_WORKER = 4


@dataclass(frozen=True)
class WorkerPool:
    """Runs functions elsewhere, `n_parallel` at a time."""

    executor: Executor
    n_parallel: int

    def run(
        self,
        function: Callable[..., R],
        arguments: Sequence[tuple[object, ...]],
        took: Callable[[R], None],
        *,
        cancel: CancelToken | None = None,
    ) -> None:
        """Call the function with each of the arguments; `took` gets the results as they come, in this thread.

        Only a few calls are handed over at a time, so that stopping is quick and memory stays small.

        Raises:
            UserFacingError: a worker process was killed.
            Cancelled: stopped; what is running is waited for when the pool closes.
        """
        waiting = deque(arguments)
        running: set[Future[R]] = set()
        try:
            while waiting or running:
                if cancel is not None:
                    cancel.raise_if_cancelled()
                while waiting and len(running) < self.n_parallel * WAITING_PER_WORKER:
                    running.add(self.executor.submit(function, *waiting.popleft()))
                done, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    took(future.result())
        except (BrokenProcessPool, CancelledError) as problem:
            raise UserFacingError(
                "A worker ended unexpectedly (out of memory, or stopped from outside).",
                "What was made is kept. Run it again to go on, with fewer workers if memory is short.",
            ) from problem
        finally:
            for future in running:
                future.cancel()


@contextmanager
def worker_pool(n_workers: int, scheduler: str = "") -> Iterator[WorkerPool]:
    """So many processes of this machine, or the workers of a Dask scheduler at that address.

    Raises:
        MissingPackageError: Dask is not installed.
        UserFacingError: no scheduler there, or one without workers.
    """
    if scheduler:
        with _dask_pool(scheduler) as pool:
            yield pool
        return
    # Fresh processes on every platform: a fork of a process with threads or a window can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, mp_context=context, initializer=use_one_thread) as executor:
        try:
            yield WorkerPool(executor, n_workers)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _dask_pool(scheduler: str) -> Iterator[WorkerPool]:
    try:
        import distributed
    except ImportError as problem:
        raise MissingPackageError(
            "A cluster needs Dask, which is not installed.", "pip install 'sightline[cluster]'"
        ) from problem
    library: Any = distributed  # Any: Dask ships no type information for its client
    try:
        client = library.Client(scheduler, timeout="10s")
    except (OSError, ValueError, TimeoutError) as problem:
        raise UserFacingError(
            f"There is no Dask scheduler at {scheduler}.", f"Start one with `dask scheduler`. ({problem})"
        ) from problem
    with client:
        n_threads = sum(client.nthreads().values())
        if n_threads == 0:
            raise UserFacingError(f"The Dask scheduler at {scheduler} has no workers.", "Start some: `dask worker`.")
        yield WorkerPool(client.get_executor(pure=False), n_threads)
