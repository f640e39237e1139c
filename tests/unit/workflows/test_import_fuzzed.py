"""Whatever a file holds, an import gives a right result or words, and never half a study."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from domain.errors import UserFacingError
from processing.fixation_table import COLUMNS, read_fixation_table
from processing.run_lengths import decompressed, mask_from_runs, run_lengths
from processing.table_text import read_table
from storage.image_file import read_image
from storage.map_file import read_map
from storage.mask_file import read_mask
from tests.real_data import real_data
from workflows.import_images import import_to_folder, scan

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELL = st.one_of(
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["", ".", "-", "nan", "0,5", "1e400", "../../etc/passwd", "a.jpg", '"', "\x00", "é", "=1+1"]),
    st.text(max_size=12),
)


@QUICK
@given(rows=st.lists(st.lists(CELL, min_size=0, max_size=11), max_size=6), delimiter=st.sampled_from(",;\t"))
def test_that_any_fixation_table_is_read_or_refused(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    path = tmp_path / "t.csv"
    text = delimiter.join(COLUMNS) + "\n" + "\n".join(delimiter.join(row) for row in rows) + "\n"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        tables = read_fixation_table(path)
    except UserFacingError as problem:
        assert "t.csv" in str(problem)  # noqa: PT017 - the words are what is tested
        return
    for table in tables:
        assert "/" not in table.stem
        assert (table.fixations.duration_ms > 0).all()


@QUICK
@given(raw=st.binary(max_size=400))
def test_that_any_bytes_are_a_table_or_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(raw)
    try:
        table = read_table(path)
    except UserFacingError:
        return
    assert all(len(column) == table.n_rows for column in table.columns.values())


@QUICK
@given(raw=st.binary(max_size=300), suffix=st.sampled_from([".png", ".jpg", ".tif", ".dcm", ".nii", ".nii.gz", ""]))
def test_that_any_bytes_are_an_image_or_refused(tmp_path: Path, raw: bytes, suffix: str) -> None:
    heads = {
        ".png": b"\x89PNG\r\n\x1a\n",
        ".jpg": b"\xff\xd8\xff\xe0",
        ".tif": b"II*\x00",
        ".dcm": bytes(128) + b"DICM",
    }
    path = tmp_path / f"x{suffix}"
    path.write_bytes(heads.get(suffix, b"") + raw)
    for read in (read_image, read_mask, read_map):
        try:
            read(path)
        except UserFacingError:
            continue


@QUICK
@given(text=st.text(alphabet=[chr(c) for c in range(40, 120)], max_size=40))
def test_that_any_text_of_runs_is_a_mask_or_refused(text: str) -> None:
    try:
        mask = mask_from_runs(decompressed(text), (5, 7))
    except ValueError:
        return
    assert sum(run_lengths(mask)) == 35


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("tobii-tsv", ("tobii-pro-lab", "studio-3.4-120hz.tsv")),
        ("tobii-tsv", ("tobii-pro-lab", "right-eye-300hz.tsv")),
        ("tobii-research", ("tobii-sdk-dumps", "4c-tobii-research.csv")),
        ("eyelink-asc", ("eyelink", "mono500.asc")),
        ("data-viewer", ("eyelink", "data-viewer-fixation-report.csv")),
    ],
)
def test_that_real_files_with_damage_are_read_or_refused(tmp_path: Path, name: str, source: tuple[str, str]) -> None:
    raw = real_data(*source).read_bytes()[:60_000]
    rng = random.Random(7)
    for _ in range(25):
        damaged = bytearray(raw[: rng.randrange(1, len(raw))])
        for _ in range(rng.randrange(12)):
            place = rng.randrange(len(damaged))
            damaged[place : place + rng.randrange(1, 9)] = rng.randbytes(rng.randrange(6))
            if not damaged:
                damaged = bytearray(b"\n")
        path = tmp_path / "damaged.txt"
        path.write_bytes(bytes(damaged))
        try:
            plan = scan(name, path)
        except UserFacingError as problem:
            assert "damaged.txt" in str(problem)  # noqa: PT017 - the words are what is tested
            continue
        assert plan.sessions


def test_that_100_000_rows_are_read_and_a_bad_last_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "in" / "a.png")
    lines = [",".join(COLUMNS), *(f"a.jpg,{i},0.5,0.25,200,3000,{i},30,40" for i in range(100_000))]
    (tmp_path / "in" / "t.csv").write_text("\n".join(lines))
    plan = scan("gazemedseg", tmp_path / "in")
    assert len(plan.reads[0].fixations) == 100_000
    (tmp_path / "in" / "t.csv").write_text("\n".join([*lines, "a.jpg,1,x,0,1,1,1,30,40"]))
    with pytest.raises(UserFacingError, match="line 100002"):
        import_to_folder("gazemedseg", tmp_path / "in", tmp_path / "s")
    assert not (tmp_path / "s").exists()
