"""Damage good files at random and see that every reader gives a result or an error in words, never anything else.

    python -m benchmarks.fuzz --minutes 60

Each reader runs in a process of its own with a memory limit, so that a crash of a C library is found as well. A case is
the name of the reader and a number; `--only NAME --case NUMBER` runs it again, alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from benchmarks.fuzz_targets import FuzzTarget, damaged, damaged_png, survives, targets

MEMORY_LIMIT_BYTES = 6 << 30
CASE_LIMIT_S = 20.0
START_S = 3.0
WORK_S = 60.0
"""How long a worker process lives before the next one begins."""


def make_case(target: FuzzTarget, good: bytes, number: int) -> bytes:
    random = Random(f"{target.name}|{number}")
    if good.startswith(b"\x89PNG") and random.random() < 0.5:
        return damaged_png(good, random)
    return damaged(good, random, is_text=target.is_text)


def run_case(target: FuzzTarget, path: Path, good: bytes, number: int) -> str:
    path.write_bytes(make_case(target, good, number))
    started = time.process_time()  # not the wall's clock, which a busy machine makes late
    problem = survives(target, path)
    path.write_bytes(good)
    seconds = time.process_time() - started
    return problem or (f"took {seconds:.0f} s" if seconds > CASE_LIMIT_S else "")


def work(name: str, first: int, seconds: float, folder: Path) -> None:
    """The worker: cases from a number on; says what it begins, so that its parent knows which case killed it."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    target = next(t for t in targets() if t.name == name)
    path = target.prepare(folder)
    good = path.read_bytes()
    until = time.monotonic() + seconds
    number = first
    while time.monotonic() < until:
        (folder / "case").write_text(str(number))
        problem = run_case(target, path, good, number)
        if problem:
            print(f"BAD {number} {problem}", flush=True)
        number += 1
    print(f"DONE {number}", flush=True)


def hunt(name: str, first: int, seconds: float) -> tuple[int, list[tuple[int, str]]]:
    """Run one worker; the next case's number and what was found."""
    with tempfile.TemporaryDirectory(prefix="sightline-fuzz-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "benchmarks.fuzz", "--work", name, str(first), str(seconds), folder]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
        code = 0
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=seconds + CASE_LIMIT_S + 60, env=environment
            )
            code, lines = done.returncode, done.stdout.splitlines()
        except subprocess.TimeoutExpired as late:
            code, lines = -999, (late.stdout or b"").decode().splitlines()
        found = [(int(line.split(" ", 2)[1]), line.split(" ", 2)[2]) for line in lines if line.startswith("BAD ")]
        ends = [int(line.split()[1]) for line in lines if line.startswith("DONE ")]
        if ends:
            return ends[-1], found
        file = Path(folder) / "case"
        number = int(file.read_text() or first) if file.is_file() else first
        what = "hung" if code == -999 else f"the process ended with code {code}"
        return number + 1, [*found, (number, what)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", default="", help="only readers whose name holds this text")
    parser.add_argument("--case", type=int, default=-1, help="run one case again")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--work", nargs=4, metavar=("NAME", "FIRST", "SECONDS", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work[0], int(chosen.work[1]), float(chosen.work[2]), Path(chosen.work[3]))
        return 0
    known = [target for target in targets() if chosen.only in target.name]
    if chosen.case >= 0:
        with tempfile.TemporaryDirectory() as folder:
            path = known[0].prepare(Path(folder))
            path.write_bytes(make_case(known[0], path.read_bytes(), chosen.case))
            known[0].read(path)
        print("survived")
        return 0
    until = time.monotonic() + 60 * chosen.minutes
    each = min(WORK_S, max(0.5, 60 * chosen.minutes / len(known) - START_S))
    next_case = {target.name: chosen.first for target in known}
    problems: dict[str, list[tuple[int, str]]] = {target.name: [] for target in known}
    while time.monotonic() < until:
        for target in known:
            next_case[target.name], found = hunt(target.name, next_case[target.name], each)
            problems[target.name] += found
    print(f"{'reader':<34} {'cases':>9} {'bad':>6}  first bad case")
    for target in known:
        bad = problems[target.name]
        first = f"{bad[0][0]}: {bad[0][1]}" if bad else ""
        print(f"{target.name:<34} {next_case[target.name] - chosen.first:>9} {len(bad):>6}  {first}")
    n_bad = sum(len(bad) for bad in problems.values())
    total = sum(next_case.values()) - chosen.first * len(known)
    print(f"{total} cases, {n_bad} bad (target 0): {'MISS' if n_bad else 'PASS'}")
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
