from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from domain.errors import BadFileError, NewerVersionError, UserFacingError
from domain.labels import LabelParameters
from storage.snapshot_file import INDEX, Snapshot, SnapshotSource, SnapshotWriter, read_snapshot


def _write(folder: Path) -> Snapshot:
    rng = np.random.default_rng(0)
    with SnapshotWriter(folder, target="polyp", labels=LabelParameters(), is_simulated=True) as writer:
        for number in range(2):
            image = rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)
            maps = [rng.random((12, 17)).astype(np.float32) for _ in range(2)]
            writer.add(SnapshotSource(f"i{number}", image, maps, maps[0] > 0.5, "reviewed", case="a"))
        return writer.finish(study="test")


def test_that_a_snapshot_comes_back_as_it_was_frozen(tmp_path: Path) -> None:
    written = _write(tmp_path / "s")
    read = read_snapshot(tmp_path / "s", verify=True)
    assert read == written
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (12, 17, 3), dtype=np.uint8)
    maps = [rng.random((12, 17)).astype(np.float32) for _ in range(2)]
    assert np.array_equal(read.image(read.items[0]), image)
    fused = read.fused_map(read.items[0])
    assert fused is not None
    np.testing.assert_allclose(fused, np.mean(maps, 0), atol=1e-5)
    assert np.array_equal(read.mask(read.items[0]), maps[0] > 0.5)
    assert read.items[0].size == (17, 12)
    assert read.is_simulated
    assert read.notes == {"study": "test"}


def test_that_a_changed_file_is_noticed(tmp_path: Path) -> None:
    snapshot = _write(tmp_path / "s")
    path = snapshot.folder / snapshot.items[1].maps[0]
    path.write_bytes((snapshot.folder / snapshot.items[0].maps[0]).read_bytes())
    with pytest.raises(BadFileError, match="changed after it was frozen"):
        read_snapshot(snapshot.folder, verify=True)


def test_that_an_interrupted_freeze_leaves_nothing(tmp_path: Path) -> None:
    writer = SnapshotWriter(tmp_path / "s", target="t", labels=LabelParameters(), is_simulated=False)
    with writer:
        writer.add(SnapshotSource("i", np.zeros((4, 4, 3), np.uint8)))
    # Left without finish(), as by an error or Ctrl-C.
    assert list(tmp_path.iterdir()) == []


def test_that_a_map_of_another_size_is_refused(tmp_path: Path) -> None:
    with SnapshotWriter(tmp_path / "s", target="t", labels=LabelParameters(), is_simulated=False) as writer:
        bad = SnapshotSource("i", np.zeros((4, 4, 3), np.uint8), [np.zeros((4, 5), np.float32)])
        with pytest.raises(UserFacingError, match="image's size"):
            writer.add(bad)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda text: "", BadFileError),
        (lambda text: text[: len(text) // 2], BadFileError),
        (lambda text: "[]", BadFileError),
        (lambda text: json.dumps({**json.loads(text), "version": 99}), NewerVersionError),
        (lambda text: json.dumps({**json.loads(text), "items": [{"item_id": "x"}]}), BadFileError),
    ],
    ids=["empty", "truncated", "foreign", "newer", "damaged item"],
)
def test_that_a_bad_index_is_refused(tmp_path: Path, change: object, error: type[Exception]) -> None:
    snapshot = _write(tmp_path / "s")
    index = snapshot.folder / INDEX
    index.write_text(change(index.read_text()))  # type: ignore[operator]
    with pytest.raises(error):
        read_snapshot(snapshot.folder)
