"""Copy a study's catalog from one database to another, row by row, and check that all arrived."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text

from domain.errors import BadFileError, UserFacingError
from storage.catalog import SCHEMA_VERSION, Catalog, catalog_facts, metadata
from storage.study import CATALOG_FILE, Study

_ROWS_AT_ONCE = 500


def copy_catalog(study: Study, url: str) -> int:
    """Copy all tables into an empty database; returns the number of rows.

    Raises:
        UserFacingError: the database cannot be reached, or is not empty.
    """
    if not url:
        # The file of before may still lie there: it is put aside, never overwritten.
        file = study.folder / CATALOG_FILE
        if file.exists():
            number = 1
            while (aside := file.with_name(f"catalog-{number}.sqlite")).exists():
                number += 1
            file.replace(aside)
    target = Catalog(url) if url else Catalog.in_file(study.folder / CATALOG_FILE)
    try:
        target.create_tables()
        with study.catalog.reading() as source, target.writing() as destination:
            return _copy(source, destination, is_postgresql=not target.is_sqlite)
    finally:
        target.close()


def _copy(source: Connection, destination: Connection, *, is_postgresql: bool) -> int:
    n_copied = 0
    for table in metadata.sorted_tables:
        if table is catalog_facts:
            continue
        if destination.scalar(select(func.count()).select_from(table)):
            raise UserFacingError(
                f"The database already holds {table.name} of a study.", "Use an empty database for each study."
            )
        rows = [dict(row) for row in source.execute(select(table)).mappings()]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            destination.execute(table.insert(), rows[start : start + _ROWS_AT_ONCE])
        if destination.scalar(select(func.count()).select_from(table)) != len(rows):
            raise BadFileError(f"Not all rows of {table.name} arrived.", "Try again; the old catalog is untouched.")
        n_copied += len(rows)
        if is_postgresql and "number" in table.c and table.c.number.autoincrement is True:
            # The server counts by itself and does not know the numbers that came with the rows.
            destination.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'number'), "
                    f"(SELECT COALESCE(MAX(number), 0) + 1 FROM {table.name}), false)"
                )
            )
    destination.execute(
        catalog_facts.update().where(catalog_facts.c.name == "schema_version").values(value=str(SCHEMA_VERSION))
    )
    return n_copied
