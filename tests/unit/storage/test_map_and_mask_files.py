"""Maps and masks come back as they were written, with what they were made from."""

import errno
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.errors import BadFileError, StorageFullError
from storage.atomic_write import write_atomically
from storage.map_file import read_map, write_map
from storage.mask_file import read_mask, write_mask


def test_that_a_map_comes_back_within_half_a_step(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((31, 57)).astype(np.float32)
    write_map(tmp_path / "m.png", values, {"sigma": 70.0, "name": "ä例"})
    back, parameters = read_map(tmp_path / "m.png")
    assert np.abs(back - values).max() <= 0.5 / 65535 + 1e-7
    assert parameters == {"sigma": 70.0, "name": "ä例"}
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "I;16"


def test_that_not_a_number_and_overshoot_are_stored_as_limits(tmp_path: Path) -> None:
    write_map(tmp_path / "m.png", np.array([[np.nan, -0.1, 1.2]]), {})
    assert read_map(tmp_path / "m.png")[0].tolist() == [[0.0, 0.0, 1.0]]


def test_that_a_mask_with_holes_and_parts_comes_back_equal(tmp_path: Path) -> None:
    mask = np.zeros((40, 25), np.bool_)
    mask[2:20, 3:20] = True
    mask[6:10, 6:10] = False
    mask[30:, 1] = True
    write_mask(tmp_path / "m.png", mask, {"origin": "gaze"})
    back, record = read_mask(tmp_path / "m.png")
    assert np.array_equal(back, mask)
    assert record == {"origin": "gaze"}


@pytest.mark.parametrize(
    ("values", "foreground"),
    [([[0, 127, 128, 255]], [[False, False, True, True]]), ([[0, 1, 0, 1]], [[False, True, False, True]])],
    ids=["grey", "zero-one"],
)
def test_that_masks_of_others_are_read(tmp_path: Path, values: list[list[int]], foreground: list[list[bool]]) -> None:
    Image.fromarray(np.array(values, np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png")[0].tolist() == foreground


def test_that_a_broken_map_and_mask_are_named(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no")
    with pytest.raises(BadFileError, match=r"m\.png"):
        read_map(tmp_path / "m.png")
    with pytest.raises(BadFileError, match=r"m\.png"):
        read_mask(tmp_path / "m.png")


def test_that_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("good")

    def write_half() -> None:
        with write_atomically(path) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageFullError):
        write_half()
    assert path.read_text() == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
