from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from domain.errors import BadFileError, NewerVersionError
from storage import model_file
from storage.model_file import TensorFile, read_description, read_tensor_file, write_tensor_file


def _content() -> TensorFile:
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1], np.int64)}
    return TensorFile("model", tensors, {"step": 3, "name": "Größe"})


def test_that_tensors_and_description_come_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_tensor_file(path, _content())
    read = read_tensor_file(path, kind="model")
    assert read.description == {"step": 3, "name": "Größe"}
    assert all(np.array_equal(read.tensors[name], values) for name, values in _content().tensors.items())
    assert read_description(path, kind="model")["step"] == 3


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "flipped bit", "other kind", "text"])
def test_that_a_bad_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "m.safetensors"
    write_tensor_file(path, _content())
    whole = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(whole[:-5])
    elif damage == "flipped bit":
        whole[-3] ^= 4
        path.write_bytes(whole)
    elif damage == "text":
        path.write_text("hello")
    kind = "checkpoint" if damage == "other kind" else "model"
    with pytest.raises(BadFileError):
        read_tensor_file(path, kind=kind)


def test_that_a_newer_file_is_refused_as_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    monkeypatch.setattr(model_file, "VERSION", 99)
    write_tensor_file(path, _content())
    monkeypatch.undo()
    with pytest.raises(NewerVersionError):
        read_tensor_file(path, kind="model")


def test_that_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    write_tensor_file(path, _content())

    def full(*_: object, **__: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("storage.atomic_write.os.fsync", full)
    with pytest.raises(Exception, match="disk is full"):
        write_tensor_file(path, TensorFile("model", {"a": np.zeros(1)}, {}))
    assert read_tensor_file(path, kind="model").description["step"] == 3
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_that_the_library_reads_every_number_type_and_shape_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kinds = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
    tensors = {f"of {kind}": (100 * rng.random((3, 5))).astype(kind) for kind in kinds}
    tensors |= {"odd": np.arange(7, dtype=np.uint8), "none": np.zeros((0, 4), np.float32), "one": np.float32(2.5)}
    tensors["turned"] = np.asfortranarray(rng.random((4, 6)))
    tensors = {name: np.asarray(values) for name, values in tensors.items()}
    path = tmp_path / "m.safetensors"
    write_tensor_file(path, TensorFile("checkpoint", tensors, {"step": 3, "text": "å\n"}))
    read = load_file(path)
    assert read.keys() == tensors.keys()
    for name, values in tensors.items():
        assert read[name].dtype == values.dtype
        assert read[name].shape == values.shape
        assert np.array_equal(read[name], values)
    stored = read_tensor_file(path, kind="checkpoint")
    assert stored.description == {"step": 3, "text": "å\n"}
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
    assert list(tmp_path.iterdir()) == [path]
