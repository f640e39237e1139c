"""`sightline demo`: the demo's steps on the terminal, with the real annotation window drawn off-screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from domain.events import OnProgress
from workflows.demo import DemoPlan, run_demo
from workflows.demo_report import summary_lines
from workflows.progress_bar import progress_bar

N_STEPS = 6


def run_off_screen(folder: Path, *, source: Path | None, n_images: int, steps: int) -> None:
    """Run the demo and say where the report is."""
    console = Console(highlight=False)
    number = 0

    @contextmanager
    def step(title: str) -> Iterator[OnProgress]:
        nonlocal number
        number += 1
        console.print(f"[{number}/{N_STEPS}] {title}", markup=False)
        with progress_bar(title) as on_progress:
            yield on_progress

    changes: dict[str, object] = {"steps": steps} if steps else {}
    plan = DemoPlan(folder, source=source, n_images=n_images, changes=changes)
    outcome = run_demo(plan, look=_look, step=step)
    for line in summary_lines(outcome.scores, outcome.thresholds):
        console.print(f"  {line}", markup=False)
    console.print(f"Simulated gaze; all steps took {outcome.total_s:.0f} s.", markup=False)
    console.print(f"Report: {outcome.report}", markup=False)


def _look(study_folder: Path, screens: Path, *, n_images: int, on_progress: OnProgress) -> Sequence[Path]:
    from app.demo_tour import run_tour, use_off_screen

    # Off-screen even where there is a display: the demo must not open windows over somebody's work.
    use_off_screen(screens)
    return run_tour(study_folder, screens, n_images, on_progress=on_progress).screenshots
