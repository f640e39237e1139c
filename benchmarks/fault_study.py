"""Faults while a study is worked on: killed programs, full and read-only disks, cut files, two programs, no memory."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.fault_cases import (
    CannotRunError,
    Case,
    Result,
    blob,
    fill,
    lines_until_killed,
    program,
    read_only,
    small_disk,
    small_study,
    trial,
)
from domain.errors import UserFacingError
from domain.labels import LabelMaps, LabelParameters
from domain.study import StudySettings
from processing.labels import make_label_maps
from storage.audit_log import AuditEntry
from storage.mask_file import write_mask
from storage.study import Study
from workflows.export_dataset import export, verify_export
from workflows.import_images import import_to_folder

_SAVE = """
import sys
from pathlib import Path
from benchmarks.fault_cases import blob, trial
from storage.study import Study
with Study.open(Path(sys.argv[1]), actor="anna") as study:
    names = [image.image_id for image in study.images()]
    for number in range(100000):
        name = names[number % len(names)]
        study.save_trial(trial(number, name))
        version = study.save_mask(name, "anna", "polyp", blob(number), origin="correction")
        print(number, name, version, flush=True)
"""

_EXPORT = """
import sys
from pathlib import Path
from storage.study import Study
from workflows.export_dataset import export
with Study.open(Path(sys.argv[1])) as study:
    for number in range(100000):
        print(number, flush=True)
        export(study, "gazemedseg", Path(sys.argv[2]) / str(number))
"""

_IMPORT = """
import sys
from pathlib import Path
from workflows.import_images import import_to_folder
for number in range(100000):
    print(number, flush=True)
    import_to_folder("folder", Path(sys.argv[1]), Path(sys.argv[2]) / str(number))
"""

_CLAIM = """
import sys
from pathlib import Path
from benchmarks.fault_cases import blob
from storage.study import Study
name = sys.argv[2]
with Study.open(Path(sys.argv[1]), actor=name) as study:
    study.add_annotator(name)
    while (image := study.next_unfinished(name, "polyp")) is not None:
        version = study.save_mask(image, name, "polyp", blob(len(image)), origin="correction")
        from domain.study import TrialStatus
        study.set_status(image, name, "polyp", TrialStatus.DONE)
        print(image, version, flush=True)
"""

_HUNGRY = """
import resource, sys
import numpy as np
from pathlib import Path
from storage.study import Study
from workflows.export_dataset import export
import processing.exporters.gazemedseg
study = Study.open(Path(sys.argv[1]))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[3]), used + int(sys.argv[3])))
print("begun", flush=True)
try:
    export(study, "gazemedseg", Path(sys.argv[2]))
    print("done", flush=True)
except MemoryError:
    print("MemoryError", flush=True)
"""


def kill_while_saving(folder: Path, chance: random.Random) -> Result:
    """kill -9 while trials and masks are saved: each that was acknowledged is there, and no file is half."""
    place = folder / "study"
    small_study(place).close()
    said = lines_until_killed(program(_SAVE, str(place)), 0.05 + 0.6 * chance.random())
    lost, detail = 0, ""
    with Study.open(place) as study:
        trials = {found.trial_id for found in study.trials()}
        for line in said:
            number, name, version = line.split()
            mask = study.mask(name, "anna", "polyp", int(version))
            is_there = mask is not None and np.array_equal(mask, blob(int(number)))
            lost += (not is_there) + (f"trial-{number}" not in trials)
        for stored in study.mask_versions():
            study.read_version(stored)
        detail = "" if _is_chained(study.audit_entries()) else "the audit log is broken"
        study.save_trial(trial(999_999, "picture-000"))
    return Result(not detail, lost, detail or f"{2 * len(said)} things had been saved")


def kill_while_exporting(folder: Path, chance: random.Random) -> Result:
    """kill -9 while a dataset is written: each export folder there is, is whole."""
    place, out = folder / "study", folder / "out"
    with small_study(place) as study:
        for number, image in enumerate(study.images()):
            study.save_trial(trial(number, image.image_id))
    lines_until_killed(program(_EXPORT, str(place), str(out)), 0.05 + 0.8 * chance.random())
    finished = [path for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
    wrong = [problem for path in finished for problem in verify_export(path)]
    return Result(not wrong, len(wrong), f"{len(finished)} exports were finished")


def kill_while_importing(folder: Path, chance: random.Random) -> Result:
    """kill -9 while images are taken in: a study is there as a whole or not at all."""
    small_study(folder / "source").close()
    out = folder / "out"
    out.mkdir()
    lines_until_killed(program(_IMPORT, str(folder / "source"), str(out)), 0.05 + 0.8 * chance.random())
    lost = 0
    finished = [path for path in out.iterdir() if not path.name.startswith(".")]
    for path in finished:
        with Study.open(path) as study:
            images = study.images()
            lost += 6 - len(images)
            for image in images:
                study.pixels(image.image_id)
    return Result(lost == 0, lost, f"{len(finished)} studies were finished")


def full_disk(folder: Path, chance: random.Random) -> Result:
    """The disk is full: every save says so, nothing that was there is hurt, and saving works again after."""
    with small_disk(folder, "6m") as disk:
        study = small_study(disk / "study")
        study.save_mask("picture-000", "anna", "polyp", blob(1), origin="correction")
        maps = make_label_maps(study.pixels("picture-000").display_u8(0), trial(0, "x").fixations, _labels(study))
        study.save_maps("trial-0", maps)
        fill(disk)
        attempts: tuple[Callable[[], object], ...] = (
            lambda: study.save_trial(trial(1, "picture-001")),
            lambda: study.save_mask("picture-000", "anna", "polyp", blob(2), origin="correction"),
            lambda: study.save_maps("trial-0", LabelMaps(maps.refined, maps.heatmap, maps.parameters, ())),
            lambda: study.update_settings(study.settings),
        )
        refused = sum(_is_refused_in_words(attempt) for attempt in attempts)
        (disk / "filler").unlink()
        mask = study.mask("picture-000", "anna", "polyp", 1)
        stored = study.maps("trial-0")
        lost = int(mask is None or not np.array_equal(mask, blob(1)))
        lost += int(stored is None or not np.allclose(stored.heatmap, maps.heatmap, atol=1e-4))
        study.save_trial(trial(2, "picture-001"))
        study.close()
        leftovers = list((disk / "study").rglob(".sightline-*"))
        return Result(not leftovers, lost, f"{refused} of {len(attempts)} saves were refused in words")


def read_only_disk(folder: Path, chance: random.Random) -> Result:
    """Nothing can be written: saves are refused in words, and the study is as it was after."""
    with small_disk(folder, "8m") as disk:
        place = disk / "study"
        with small_study(place) as study:
            study.save_mask("picture-000", "anna", "polyp", blob(1), origin="correction")
        small_study(folder / "other").close()

        def export_here() -> None:
            with Study.open(folder / "other") as other:
                other.save_trial(trial(0, "picture-000"))
                export(other, "gazemedseg", disk / "dataset")

        with read_only(disk):
            attempts: tuple[Callable[[], object], ...] = (
                lambda: Study.open(place).close(),
                lambda: Study.create(disk / "new", StudySettings(name="new")).close(),
                lambda: import_to_folder("folder", folder / "other", disk / "imported"),
                export_here,
                lambda: write_mask(disk / "mask.png", blob(1), {}),
            )
            refused = [_is_refused_in_words(attempt) for attempt in attempts]
        with Study.open(place) as study:
            mask = study.mask("picture-000", "anna", "polyp")
            lost = int(mask is None or not np.array_equal(mask, blob(1)))
            study.save_trial(trial(3, "picture-001"))
        return Result(all(refused), lost, f"{sum(refused)} of {len(refused)} attempts were refused in words")


_FIRST = ("picture-000", "anna", "polyp")


def cut_files(folder: Path, chance: random.Random) -> Result:
    """One file of the study is cut short: it is named in words, and everything else can still be used."""
    place = folder / "study"
    with small_study(place) as study:
        study.save_mask("picture-000", "anna", "polyp", blob(1), origin="correction")
        study.save_mask("picture-001", "anna", "polyp", blob(2), origin="correction")
    victims = [
        (place / "images" / "picture-000.png", lambda s: s.pixels("picture-000").values.tobytes()),
        (place / "masks" / "picture-000" / "anna_polyp_v1.png", lambda s: s.mask(*_FIRST).tobytes()),
        (place / "reference" / "picture-000.png", lambda s: s.ground_truth("picture-000").tobytes()),
        (place / "study.json", lambda s: s.settings),
        (place / "catalog.sqlite", lambda s: s.images()),
    ]
    path, use = chance.choice(victims)
    with Study.open(place) as study:
        before = repr(use(study))
    good = path.read_bytes()
    path.write_bytes(good[: chance.randrange(len(good))])
    try:
        with Study.open(place) as study:
            is_same = repr(use(study)) == before
        # Without its last twenty bytes a picture still has all its pixels.
        detail = "" if is_same else "read as if whole, with other values"
    except UserFacingError:
        detail = ""
    path.write_bytes(good)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with Study.open(place) as study:
        mask = study.mask("picture-001", "anna", "polyp")
        lost = int(mask is None or not np.array_equal(mask, blob(2)))
    return Result(not detail, lost, f"{path.name}: {detail or 'told in words, or nothing that counts was cut'}")


def two_programs(folder: Path, chance: random.Random) -> Result:
    """Two programs work on one study at once: nobody gets the other's image, nothing is overwritten."""
    place = folder / "study"
    small_study(place, n_images=40).close()
    processes = [program(_CLAIM, str(place), name) for name in ("anna", "ben")]
    said: dict[str, list[str]] = {}
    errors = ""
    for name, process in zip(("anna", "ben"), processes, strict=True):
        out, err = process.communicate(timeout=240)
        said[name] = [line.split()[0] for line in out.splitlines()]
        errors += err if process.returncode else ""
    twice = set(said["anna"]) & set(said["ben"])
    with Study.open(place) as study:
        is_chained = _is_chained(study.audit_entries())
        lost = sum(study.mask(image, name, "polyp") is None for name in said for image in said[name])
    n_done = len(said["anna"]) + len(said["ben"])
    good = not twice and is_chained and n_done == 40 and not errors
    return Result(good, lost, errors[-100:] or f"{len(said['anna'])} and {len(said['ben'])} images")


def out_of_memory(folder: Path, chance: random.Random) -> Result:
    """An export runs out of memory: no half export is left, and the study is whole."""
    if sys.platform != "linux":
        raise CannotRunError("needs Linux, to limit the memory of a process")
    place, out = folder / "study", folder / "out"
    with small_study(place) as study:
        for number, image in enumerate(study.images()):
            study.save_trial(trial(number, image.image_id))
    allowed = chance.randrange(0, 120) << 20
    process = program(_HUNGRY, str(place), str(out), str(allowed))
    said, _ = process.communicate(timeout=240)
    wrong = verify_export(out) if out.is_dir() else []
    shutil.rmtree(out, ignore_errors=True)
    with Study.open(place) as study:
        lost = 6 - len(study.trials())
        study.save_trial(trial(100, "picture-000"))
    return Result(not wrong, lost, f"{allowed >> 20} MB left: {said.split()[-1] if said.split() else 'ended'}")


def _is_refused_in_words(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except UserFacingError:
        return True
    return False


def _is_chained(entries: list[AuditEntry]) -> bool:
    return all(second.previous == first.digest for first, second in pairwise(entries))


def _labels(study: Study) -> LabelParameters:
    return study.settings.labels


CASES = (
    Case("kill -9 while trials and masks are saved", kill_while_saving, 50, 3),
    Case("kill -9 while a dataset is exported", kill_while_exporting, 10, 1),
    Case("kill -9 while images are imported", kill_while_importing, 10, 1),
    Case("disk full while a study is worked on", full_disk, 5, 1),
    Case("read-only disk", read_only_disk, 5, 1),
    Case("a file of the study is cut short", cut_files, 40, 5),
    Case("two programs on one study", two_programs, 3, 1),
    Case("out of memory while exporting", out_of_memory, 10, 1),
)
