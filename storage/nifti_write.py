"""NIfTI files: label maps on the grid of a volume, and single pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from storage.image_readers.nifti import read_affine, to_file_grid

_nifti: Any = nibabel  # its classes carry no types


def write_like(target: Path, stack: NDArray[np.generic], volume: Path) -> None:
    """Write slices as shown, (S, H, W), on the grid of a volume: same shape, same affine."""
    affine = read_affine(volume)
    voxels = to_file_grid(stack, affine)
    shape = np.shape(nibabel.load(volume).dataobj)  # type: ignore[attr-defined]  # the loaders give images with data
    nibabel.save(_nifti.Nifti1Image(voxels.reshape(voxels.shape[: max(len(shape), 2)]), affine), target)


def write_volume(
    target: Path,
    stack: NDArray[np.generic],
    affine: NDArray[np.float64] | None,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
) -> None:
    """Write slices (S, H, W) of a series as one volume.

    affine: from (column, row, slice) to millimetres; without it the volume lies as its slices are shown. Whole numbers
    of 16 bits are stored as such, also where a rescale made them floats.
    """
    if affine is None:
        between, rows, columns = spacing_mm or (1.0, 1.0, 1.0)
        affine = np.diag([-columns, -rows, between, 1.0])
    values = _small(np.asarray(stack))
    volume = _nifti.Nifti1Image(np.ascontiguousarray(np.transpose(values, (2, 1, 0))), affine)
    volume.header.set_xyzt_units("mm")
    volume.set_sform(affine, 1)  # 1: the scanner's own coordinates
    volume.set_qform(affine, 1, strip_shears=True)  # a quaternion cannot hold a tilted gantry's shear
    nibabel.save(volume, target)


def write_flat(
    target: Path, plane: NDArray[np.generic], *, spacing_mm: tuple[float, float, float] | None = None
) -> None:
    """Write one picture (H, W) or (H, W, 3) as a volume of one slice, as shown when it is read again."""
    between, rows, columns = spacing_mm or (1.0, 1.0, 1.0)
    # First axis to the patient's left, second to the back: what radiologists see has both pointing right and down.
    affine = np.diag([-columns, -rows, between, 1.0])
    grey = plane if plane.ndim == 2 else np.rint(plane.astype(np.float64) @ [0.299, 0.587, 0.114]).astype(np.uint8)
    nibabel.save(_nifti.Nifti1Image(np.ascontiguousarray(grey.T[:, :, None]), affine), target)


def _small(values: NDArray[np.generic]) -> NDArray[np.generic]:
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        return values
    numbers = values.astype(np.float32)
    rounded = np.rint(numbers)
    is_whole = np.array_equal(rounded, numbers) and float(np.abs(rounded).max(initial=0)) < 32768
    return rounded.astype(np.int16) if is_whole else numbers
