"""Bring every fault about that we know of, many times, and count what survived and what was lost.

    python -m benchmarks.faults            all cases (about ten minutes)
    python -m benchmarks.faults --quick    a few tries of each (about a minute)
    python -m benchmarks.faults --only disk

Survived: the program, or the one started after it, went on with whole files and said in words what had happened. Lost:
samples, trials, masks or files that had been accepted before the fault and were not there after it. Gaze is simulated.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks import fault_recording, fault_study, fault_training
from benchmarks.fault_cases import CannotRunError, Case, Result

CASES = (*fault_recording.CASES, *fault_study.CASES, *fault_training.CASES)


def try_case(case: Case, number: int, *, verbose: bool) -> Result:
    with tempfile.TemporaryDirectory(prefix="sightline-fault-", ignore_cleanup_errors=True) as folder:
        try:
            return case.run(Path(folder), random.Random(f"{case.name}|{number}"))
        except CannotRunError:
            raise
        except Exception as error:  # noqa: BLE001 - an error nobody expected is a fault that was not survived
            if verbose:
                traceback.print_exc()
            return Result(False, detail=f"{type(error).__name__}: {str(error)[:100]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few tries of each case")
    parser.add_argument("--only", default="", help="only cases whose name holds this text")
    parser.add_argument("--tries", type=int, default=0, help="so many tries of each case")
    parser.add_argument("--verbose", action="store_true", help="say what happened in each try")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failed = 0
    print(f"{'case':<46} {'tries':>5} {'survived':>8} {'lost':>5}  note")
    for case in CASES:
        if chosen.only not in case.name:
            continue
        started = time.monotonic()
        n_tries = chosen.tries or (case.quick_tries if chosen.quick else case.tries)
        try:
            results = [try_case(case, number, verbose=chosen.verbose) for number in range(n_tries)]
        except CannotRunError as reason:
            print(f"{case.name:<46} {0:>5} {'-':>8} {'-':>5}  not run: {reason}", flush=True)
            continue
        survived = sum(result.survived for result in results)
        lost = sum(result.lost for result in results)
        bad = next((result for result in results if not result.survived or result.lost), None)
        failed += bad is not None
        note = (bad or results[-1]).detail
        print(
            f"{case.name:<46} {n_tries:>5} {survived:>8} {lost:>5}  {note} ({time.monotonic() - started:.0f} s)",
            flush=True,
        )
        if chosen.verbose:
            for number, result in enumerate(results):
                print(f"    {number:>3} {'ok ' if result.survived else 'BAD'} lost {result.lost} {result.detail}")
    print(f"all survived, nothing lost: {'MISS' if failed else 'PASS'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
