"""The nine columns of a GazeMedSeg fixation table: read, check, write.

Source: GazeMedSeg (Zhong et al. 2024), `kvasir_fixation.csv` and `nci-isbi_fixation.csv`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from domain.errors import BadFileError
from domain.fixations import ImageFixations
from processing.table_text import Table, read_table

COLUMNS = (
    "IMAGE",
    "CURRENT_FIX_INDEX",
    "CURRENT_FIX_X",
    "CURRENT_FIX_Y",
    "CURRENT_FIX_DURATION",
    "CURRENT_FIX_PUPIL",
    "CURRENT_FIX_START",
    "IMAGE_HEIGHT",
    "IMAGE_WIDTH",
)


@dataclass(frozen=True)
class TableOfOneImage:
    """The rows of one image: its name in the table without ending, its size there, its fixations."""

    stem: str
    size: tuple[int, int]
    fixations: ImageFixations


def is_fixation_table(path: Path) -> bool:
    """Whether the first line names the nine columns."""
    with path.open("rb") as opened:
        head = opened.read(4000).replace(b"\x00", b"").split(b"\n")[0]  # UTF-16 has zero bytes between
    return all(name.encode() in head for name in COLUMNS)


def read_fixation_table(path: Path) -> list[TableOfOneImage]:
    """All fixations by image, in the order of the file.

    Raises:
        BadFileError: columns are missing, a cell is no number, a duration or size is not positive, a name leads
            out of the folder.
    """
    table = read_table(path)
    table.need(COLUMNS)
    if table.n_rows == 0:
        raise BadFileError(f"{path} has a header but no rows.", "Export the table again.")
    x, y = table.numbers("CURRENT_FIX_X"), table.numbers("CURRENT_FIX_Y")
    duration, start = table.numbers("CURRENT_FIX_DURATION"), table.numbers("CURRENT_FIX_START")
    pupil = table.numbers("CURRENT_FIX_PUPIL", may_be_empty=True)
    heights, widths = table.numbers("IMAGE_HEIGHT"), table.numbers("IMAGE_WIDTH")
    _refuse(table, "CURRENT_FIX_DURATION", ~(duration > 0), "is not above 0")
    for name, values in (("CURRENT_FIX_X", x), ("CURRENT_FIX_Y", y)):
        # A table in pixels instead of 0-1 would silently put all gaze far outside.
        _refuse(table, name, ~(np.abs(values) <= 10), "is not a share of the image (0-1)")
    for name, values in (("IMAGE_HEIGHT", heights), ("IMAGE_WIDTH", widths)):
        _refuse(table, name, ~((values >= 1) & (values <= 100_000)), "is not a size in pixels")
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(table.columns["IMAGE"]):
        stem = _stem(name)
        if stem is None:
            raise table.wrong_cell(row, "IMAGE", f"holds {name[:60]!r}, which is not a plain file name")
        rows_of.setdefault(stem, []).append(row)
    tables = []
    for stem, rows in rows_of.items():
        chosen = np.asarray(rows)
        fixations = ImageFixations(
            np.column_stack([x[chosen], y[chosen]]),
            duration_ms=duration[chosen],
            start_ms=start[chosen],
            pupil=pupil[chosen],
        )
        tables.append(TableOfOneImage(stem, (int(widths[rows[0]]), int(heights[rows[0]])), fixations))
    return tables


def published_rows(fixations: ImageFixations, min_fixation_ms: float) -> ImageFixations:
    """The fixations that the published filter keeps: long enough, and on the image."""
    xy = fixations.xy_norm
    with np.errstate(invalid="ignore"):  # a position that is not a number is off the image
        keep = np.all((xy >= 0) & (xy <= 1), axis=1) & (fixations.duration_ms >= min_fixation_ms)
    return ImageFixations(
        xy[keep],
        duration_ms=fixations.duration_ms[keep],
        start_ms=fixations.start_ms[keep],
        pupil=fixations.pupil[keep],
    )


def fixation_table_lines(name: str, size: tuple[int, int], fixations: ImageFixations) -> Iterable[str]:
    """The lines of one image, without the header; `name` is what stands under IMAGE."""
    for i in range(len(fixations)):
        numbers = (*fixations.xy_norm[i], fixations.duration_ms[i], fixations.pupil[i], fixations.start_ms[i])
        x, y, duration, pupil, start = (_short(float(value)) for value in numbers)
        yield f"{_quoted(name)},{i + 1},{x},{y},{duration},{pupil},{start},{size[1]},{size[0]}"


def _short(value: float) -> str:
    if np.isnan(value):
        return ""
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(c in name for c in ',"\n\r') else name


def _stem(name: str) -> str | None:
    text = name.strip()
    if not text or any(c in text for c in "/\\\x00:") or text.startswith("."):
        return None
    stem, dot, ending = text.rpartition(".")
    return stem if dot and ending.lower() in ("jpg", "jpeg", "png", "dcm", "tif", "tiff", "bmp") else text


def _refuse(table: Table, name: str, bad: np.typing.NDArray[np.bool_], what: str) -> None:
    rows = np.nonzero(bad)[0]
    if len(rows):
        raise table.wrong_cell(int(rows[0]), name, f"holds {table.columns[name][rows[0]]!r}, which {what}")
