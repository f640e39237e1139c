"""The same study on a real PostgreSQL server, which the tests start themselves."""

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.errors import UserFacingError
from domain.study import StudyImage, StudySettings, Target
from domain.trial import TrialRecord
from storage.audit_log import first_break
from storage.study import Study
from tests.unit.storage.test_study import as_version_1
from workflows.study import move_catalog

SETTINGS = StudySettings("Shared", targets=(Target("polyp"),))


def binaries() -> Path:
    places = [*Path("/usr/lib/postgresql").glob("*/bin")]
    found = shutil.which("initdb")
    if found:
        places.append(Path(found).resolve().parent)
    for place in sorted(places, reverse=True):
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    place = binaries()
    folder = tmp_path_factory.mktemp("pg")
    as_user: dict[str, Any] = {}
    if os.name == "posix" and os.geteuid() == 0:
        as_user = other_user_for(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, log_path = folder / "data", folder.with_name(f"{folder.name}.log")
    made = subprocess.run(
        [str(place / "initdb"), "-D", str(data), "-U", "sightline", "-A", "trust", "-E", "UTF8", "--locale=C"],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        **as_user,
    )
    if made.returncode:
        pytest.skip(f"initdb failed here: {made.stderr[-300:]}")
    options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    with log_path.open("wb") as log:
        command = [str(place / "postgres"), "-D", str(data), *options]
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **as_user)
    try:
        for _ in range(150):
            try:
                psycopg.connect(f"postgresql://sightline@127.0.0.1:{port}/postgres").close()
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        else:
            pytest.skip(f"the PostgreSQL server did not start: {log_path.read_text()[-300:]}")
        yield f"postgresql+psycopg://sightline@127.0.0.1:{port}/"
    finally:
        process.send_signal(signal.SIGINT)  # the server's "fast shutdown"
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def other_user_for(folder: Path) -> dict[str, Any]:
    """The server refuses to run as root: another user, who may enter and own the folder."""
    pwd = pytest.importorskip("pwd", reason="no POSIX users here")
    known = {entry.pw_name for entry in pwd.getpwall()}
    name = next((n for n in ("postgres", "nobody") if n in known), "")
    if not name:
        pytest.skip("PostgreSQL does not run as root, and there is no other user to run it as")
    for part in (folder, *folder.parents):
        if len(part.parts) > 2 and part.stat().st_uid == 0:
            part.chmod(part.stat().st_mode | 0o055)
    shutil.chown(folder, name)
    return {"user": name, "group": pwd.getpwnam(name).pw_gid}


def database(server: str, name: str) -> str:
    import psycopg

    with psycopg.connect(server.replace("+psycopg", "") + "postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server + name


def with_images(folder: Path, n: int, url: str = "") -> Study:
    study = Study.create(folder, SETTINGS, catalog_url=url)
    study.add_images([StudyImage(f"i{i:04d}", f"images/{i}.png", (8, 6)) for i in range(n)])
    return study


def test_that_a_catalog_moves_to_the_server_and_back_with_every_row(server: str, tmp_path: Path) -> None:
    study = with_images(tmp_path / "s", 5)
    study.save_trial(TrialRecord("t", "i0000", "A", "polyp", started_ns=2**62))
    study.save_mask("i0000", "A", "polyp", np.ones((6, 8), np.bool_), origin="gaze")
    url = database(server, "moved")
    assert move_catalog(study, url) > 8
    study.close()
    with Study.open(tmp_path / "s") as shared:
        assert shared.catalog_url == url
        trial = shared.trial("i0000", "A", "polyp")
        assert trial is not None
        assert trial.started_ns == 2**62
        shared.save_trial(TrialRecord("t2", "i0001", "A", "polyp"))
        assert shared.save_mask("i0000", "A", "polyp", np.zeros((6, 8), np.bool_), origin="correction") == 2
        assert not first_break(shared.audit_entries())
        move_catalog(shared, "")
        assert len(shared.trials()) == 2
        assert not first_break(shared.audit_entries())
    assert (tmp_path / "s" / "catalog-1.sqlite").is_file()


def test_that_a_shared_catalog_of_the_first_version_gets_its_new_columns(server: str, tmp_path: Path) -> None:
    study = with_images(tmp_path / "s", 3, database(server, "old"))
    before = study.images()
    with study.catalog.writing() as connection:
        as_version_1(connection)
    study.close()
    with Study.open(tmp_path / "s") as shared:
        assert shared.images() == before
        shared.add_images([StudyImage("slice", "x.dcm", (4, 3), stack="series-1", stack_position=-0.1)])
        assert shared.slices_of(shared.images()[-1])[0].stack_position == -0.1
    Study.open(tmp_path / "s").close()


def test_that_another_studys_database_is_refused(server: str, tmp_path: Path) -> None:
    url = database(server, "taken")
    with_images(tmp_path / "a", 1, url).close()
    with with_images(tmp_path / "b", 1) as study, pytest.raises(UserFacingError, match="empty database"):
        move_catalog(study, url)
    with Study.open(tmp_path / "b") as study:
        assert study.catalog_url == ""


def test_that_a_server_that_is_not_there_is_named_in_words(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with with_images(tmp_path / "s", 1) as study:
        with pytest.raises(UserFacingError, match="cannot be used"):
            move_catalog(study, "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
        with pytest.raises(UserFacingError, match="no place"):
            move_catalog(study, "mysql://x")


def _work(folder: str, annotator: str, queue: "multiprocessing.Queue[list[str]]") -> None:
    got: list[str] = []
    with Study.open(folder) as study:
        while (image_id := study.next_unfinished(annotator, "polyp")) is not None:
            got.append(image_id)
            study.save_trial(TrialRecord(f"{annotator}-{image_id}", image_id, annotator, "polyp"))
    queue.put(got)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["file", "server"])
def test_that_two_workstations_share_1000_assignments_without_doubles(
    request: pytest.FixtureRequest, tmp_path: Path, place: str
) -> None:
    url = database(request.getfixturevalue("server"), "thousand") if place == "server" else ""
    with_images(tmp_path / "s", 1000, url).close()
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[list[str]] = context.Queue()
    workers = [context.Process(target=_work, args=(str(tmp_path / "s"), name, queue)) for name in "AB"]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=250) for _ in workers]
    for worker in workers:
        worker.join()
    assert all(results)
    assert sorted(results[0] + results[1]) == [f"i{i:04d}" for i in range(1000)]
    with Study.open(tmp_path / "s") as study:
        by_trial = {trial.image_id: trial.annotator for trial in study.trials()}
        for result in results:
            assert len({by_trial[image_id] for image_id in result}) == 1
        assert len(study.trials()) == 1000
        assert not first_break(study.audit_entries())
