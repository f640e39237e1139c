"""NIfTI volumes, turned the way radiologists look at them, and back onto the file's own grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import nibabel.orientations
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from domain.errors import BadFileError
from domain.pixels import ImagePixels
from storage.image_reader import DECODER_FAILURES, MAX_VALUES, image_readers, no_such_slice

_FAILURES: tuple[type[Exception], ...] = (
    *DECODER_FAILURES,
    ImageFileError,
    HeaderDataError,
    nibabel.orientations.OrientationError,
)
_turning: Any = nibabel.orientations  # its functions carry no types


class NiftiReader:
    """Reads .nii and .nii.gz with nibabel; a fourth axis is not time here, its first volume is taken."""

    suffixes: tuple[str, ...] = (".nii", ".nii.gz")

    def recognises(self, head: bytes) -> bool:
        """Whether the header of NIfTI-1 or NIfTI-2 stands at the beginning (not compressed)."""
        return head[344:348] in (b"n+1\x00", b"ni1\x00") or head[4:8] in (b"n+2\x00", b"ni2\x00")

    def read(self, path: Path) -> ImagePixels:
        """All slices along the file's third axis, patient's right on the left, anterior or superior on top.

        Raises:
            BadFileError: truncated or not NIfTI.
        """
        volume = _load(path)
        return self._shown(path, volume, _voxels(volume, path))

    def read_slice(self, path: Path, slice_index: int) -> ImagePixels:
        """One slice; of a file that is not compressed, only its bytes are read."""
        volume = _load(path)
        n_slices = volume.shape[2] if len(volume.shape) > 2 else 1
        if not 0 <= slice_index < n_slices:
            raise no_such_slice(path, slice_index, n_slices)
        try:
            is_turned = _turning.io_orientation(volume.affine)[2, 1] < 0
        except _FAILURES as problem:
            raise _broken(path, f"its axes make no sense ({problem})") from problem
        return self._shown(
            path, volume, _voxels(volume, path, n_slices - 1 - slice_index if is_turned else slice_index)
        )

    def _shown(self, path: Path, volume: Any, voxels: NDArray[np.generic]) -> ImagePixels:
        try:
            values = to_display(voxels, volume.affine)
            zooms = [float(z) for z in volume.header.get_zooms()[:3]] + [1.0] * 3
            slice_axis, row_axis, column_axis = _display_axes(volume.affine)
            order = np.argsort(_turning.io_orientation(volume.affine)[:, 0])
            spacing = tuple(zooms[int(order[axis])] for axis in (slice_axis, row_axis, column_axis))
        except _FAILURES as problem:
            raise _broken(path, f"its axes make no sense ({problem})") from problem
        return ImagePixels(values=values, spacing_mm=(spacing[0], spacing[1], spacing[2]), meta={"Modality": "NIfTI"})


image_readers.register("nifti")(NiftiReader())


def to_display(voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> NDArray[np.generic]:
    """Voxels (i, j, k) of a file to (slice, row, column) as shown."""
    canonical = _turning.apply_orientation(voxels, _turning.io_orientation(affine))
    shown = np.transpose(canonical, _display_axes(affine))[:, ::-1, ::-1]
    return np.ascontiguousarray(shown)


def to_file_grid(shown: NDArray[np.generic], affine: NDArray[np.float64]) -> NDArray[np.generic]:
    """(slice, row, column) as shown back to voxels (i, j, k) of the file with that affine."""
    axes = _display_axes(affine)
    canonical = np.transpose(shown[:, ::-1, ::-1], np.argsort(axes))
    back = _turning.ornt_transform(_turning.axcodes2ornt("RAS"), _turning.io_orientation(affine))
    return np.ascontiguousarray(_turning.apply_orientation(canonical, back))


def read_affine(path: Path) -> NDArray[np.float64]:
    """The 4 x 4 matrix from voxels to millimetres."""
    return np.asarray(_load(path).affine, np.float64)


def read_voxels(path: Path) -> NDArray[np.generic]:
    """Voxels (i, j, k) as they lie in the file.

    Raises:
        BadFileError: truncated or not NIfTI.
    """
    return _voxels(_load(path), path)


def _display_axes(affine: NDArray[np.float64]) -> tuple[int, int, int]:
    # The file's third axis runs through the slices as acquired; its place among (R, A, S) tells the plane.
    slice_axis = int(_turning.io_orientation(affine)[2, 0])
    column_axis, row_axis = (axis for axis in range(3) if axis != slice_axis)
    return slice_axis, row_axis, column_axis


def _load(path: Path) -> Any:  # nibabel has no type information
    try:
        volume: Any = nibabel.load(path)
        n_values = int(np.prod(volume.shape, dtype=np.float64))
    except _FAILURES as problem:
        if isinstance(problem, FileNotFoundError):
            raise
        raise _broken(path, str(problem)) from problem
    if n_values > MAX_VALUES:
        raise _broken(path, f"it says it has {n_values:.3g} voxels")
    return volume


def _voxels(volume: Any, path: Path, k: int | None = None) -> NDArray[np.generic]:
    """All voxels, or those of one slice along the file's third axis."""
    try:
        wanted = volume.dataobj if k is None or len(volume.shape) < 3 else volume.dataobj[:, :, k : k + 1]
        voxels = np.asanyarray(wanted)
    except DECODER_FAILURES as problem:
        raise _broken(path, str(problem)) from problem
    if voxels.dtype.fields is not None or voxels.dtype.kind not in "iufb":
        raise _broken(path, f"values of type {voxels.dtype} are not supported")
    while voxels.ndim > 3:
        voxels = voxels[..., 0]
    while voxels.ndim < 3:
        voxels = voxels[..., None]
    if voxels.size == 0:
        raise _broken(path, "it is empty")
    return np.asarray(voxels)


def _broken(path: Path, why: str) -> BadFileError:
    return BadFileError(f"{path} cannot be read as NIfTI: {why}.", "The file may be truncated; copy it again.")
