"""Delimited tables of other programs: byte-order marks, encodings, delimiters and decimal commas."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadFileError

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class Table:
    """Text cells by column, as they stand in the file. `delimiter` is what separated them."""

    path: Path
    columns: dict[str, list[str]]
    n_rows: int
    delimiter: str

    def need(self, names: Sequence[str]) -> None:
        """Check that columns are there.

        Raises:
            BadFileError: names those that are missing and those there are.
        """
        missing = [name for name in names if name not in self.columns]
        if missing:
            there = ", ".join(list(self.columns)[:20])
            raise BadFileError(
                f"{self.path} lacks the columns {', '.join(missing)}; it has: {there}.",
                "Choose the table that the format describes, or export it again with these columns.",
            )

    def numbers(self, name: str, *, may_be_empty: bool = False) -> NDArray[np.float64]:
        """A column as float64; a decimal comma is understood where the delimiter is not a comma.

        Raises:
            BadFileError: a cell is not a number; names the line.
        """
        cells = self.columns[name]
        has_comma = self.delimiter != ","
        values = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            text = cell.strip()
            if has_comma and "," in text:
                text = text.replace(".", "").replace(",", ".") if "." in text else text.replace(",", ".")
            if not text or text in (".", "-", "n/a", "NaN", "nan"):
                if may_be_empty:
                    continue
                raise self.wrong_cell(row, name, "is empty")
            try:
                values[row] = float(text)
            except ValueError:
                raise self.wrong_cell(row, name, f"holds {cell[:40]!r}, which is not a number") from None
        return values

    def wrong_cell(self, row: int, name: str, what: str) -> BadFileError:
        """The complaint about one cell; the header is line 1."""
        return BadFileError(f"{self.path}, line {row + 2}: {name} {what}.", "Correct the line, or export again.")


def read_text(path: Path) -> str:
    """A text file as UTF-8, UTF-16 with its mark, or else Windows-1252.

    Raises:
        BadFileError: missing or binary.
    """
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise BadFileError(f"{path} cannot be read: {problem.strerror or problem}.", "Check the path.") from problem
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError as problem:
                raise BadFileError(
                    f"{path} is not whole {encoding} text: {problem.reason}.", "Copy it again."
                ) from problem
    if b"\x00" in raw[:100_000]:
        raise BadFileError(f"{path} is not a text file.", "Choose the table, not another file beside it.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def read_table(path: Path, *, delimiter: str = "") -> Table:
    """A table with a header line; the delimiter is found among tab, semicolon and comma unless given.

    Raises:
        BadFileError: missing, empty, binary, or a line with more cells than the header.
    """
    text = read_text(path)
    header = text.split("\n", 1)[0]
    if not header.strip():
        raise BadFileError(f"{path} is empty.", "Export the table again.")
    chosen = delimiter or max("\t;,", key=header.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=chosen))
    except csv.Error as problem:
        raise BadFileError(f"{path} is not a table: {problem}.", "Export the table again.") from problem
    names = [name.strip() for name in rows[0]]
    body = [row for row in rows[1:] if row and not (len(row) == 1 and not row[0].strip())]
    for number, row in enumerate(body):
        if len(row) > len(names) and any(cell.strip() for cell in row[len(names) :]):
            raise BadFileError(
                f"{path}, line {number + 2}: {len(row)} cells under {len(names)} columns.",
                "A decimal comma in a comma-separated table does this: export with decimal points.",
            )
    columns = {name: [row[i] if i < len(row) else "" for row in body] for i, name in enumerate(names) if name}
    return Table(path=path, columns=columns, n_rows=len(body), delimiter=chosen)
