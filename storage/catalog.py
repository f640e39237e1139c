"""The study catalog: a relational database, SQLite in the study folder or PostgreSQL by URL."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from domain.errors import BadFileError, MissingPackageError, NewerVersionError, StorageFullError, UserFacingError
from storage import migrations

SCHEMA_VERSION = 2
BUSY_TIMEOUT_S = 60
_WRITE_LOCK_NUMBER = 0x516874  # PostgreSQL advisory lock: one writer at a time, as in SQLite

metadata = MetaData()

catalog_facts = Table("catalog_facts", metadata, Column("name", String, primary_key=True), Column("value", String))

images = Table(
    "images",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("sha256", String, nullable=False, default="", index=True),
    Column("case_id", String, nullable=False, default=""),
    Column("split", String, nullable=False, default=""),
    Column("n_slices", Integer, nullable=False, default=1),
    Column("slice_index", Integer, nullable=False, default=-1),
    Column("mask_path", Text, nullable=False, default=""),
    Column("origin", Text, nullable=False, default=""),
    Column("look_for_text", Boolean, nullable=False, default=False),
    Column("stack", String, nullable=False, default="", server_default="", index=True),
    Column("stack_position", Float, nullable=False, default=0.0, server_default="0"),
    Column("file_sha256", String, nullable=False, default="", server_default=""),
)

annotators = Table(
    "annotators",
    metadata,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("password_hash", String, nullable=False, default=""),
    Column("n_failures", Integer, nullable=False, default=0),
    Column("locked_until", Float, nullable=False, default=0.0),
)

assignments = Table(
    "assignments",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("target", String, primary_key=True),
    Column("read_number", Integer, primary_key=True),
    Column("annotator", String, nullable=False),
    Column("status", String, nullable=False),
    Column("claimed_at", String, nullable=False),
    UniqueConstraint("image_id", "target", "annotator"),
    Index("assignments_of_annotator", "annotator", "target", "status"),
)

trials = Table(
    "trials",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("trial_id", String, nullable=False, unique=True),
    Column("image_id", String, nullable=False),
    Column("annotator", String, nullable=False),
    Column("target", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("status", String, nullable=False),
    Column("session_file", Text, nullable=False, default=""),
    Column("started_ns", String, nullable=False, default="0"),
    Column("ended_ns", String, nullable=False, default="0"),
    Column("fixations", LargeBinary, nullable=False),
    Column("quality", Text, nullable=False),
    Column("instruction_version", Integer, nullable=False, default=1),
    Column("view_log", Text, nullable=False, default=""),
    Column("note", Text, nullable=False, default=""),
    Column("is_simulated", Boolean, nullable=False, default=False),
    Column("saved_at", String, nullable=False),
    Index("trials_of_image", "image_id", "target", "annotator"),
)

masks = Table(
    "masks",
    metadata,
    Column("image_id", String, primary_key=True),
    Column("target", String, primary_key=True),
    Column("annotator", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("path", Text, nullable=False),
    Column("sha256", String, nullable=False),
    Column("origin", String, nullable=False),
    Column("parent", Integer),
    Column("author", String, nullable=False),
    Column("area_px", Integer, nullable=False),
    Column("saved_at", String, nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("image_id", String, nullable=False),
    Column("target", String, nullable=False),
    Column("annotator", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("reviewer", String, nullable=False),
    Column("decision", String, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("difficulty", String, nullable=False, default=""),
    Column("comment", Text, nullable=False, default=""),
    Column("decided_at", String, nullable=False),
    Index("reviews_of_image", "image_id", "target"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("folder", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("summary", Text, nullable=False, default="{}"),
    Column("started_at", String, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("model_id", String, primary_key=True),
    Column("path", Text, nullable=False),
    Column("run_id", String, nullable=False, default=""),
    Column("summary", Text, nullable=False, default="{}"),
    Column("added_at", String, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", String, nullable=False),
    Column("digest", String, nullable=False),
)


class Catalog:
    """The open database of one study; usable from several threads, and by several processes at once."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _open_engine(url)

    @classmethod
    def in_file(cls, path: Path) -> Catalog:
        """The catalog in a SQLite file."""
        return cls(f"sqlite+pysqlite:///{path.as_posix()}")

    @property
    def is_sqlite(self) -> bool:
        """Whether the catalog is a file in the study folder."""
        return self._engine.dialect.name == "sqlite"

    def create_tables(self) -> None:
        """Make the tables of an empty catalog, or bring an older one up to date.

        Raises:
            NewerVersionError: a newer Sightline made it.
        """
        with self.writing() as connection:
            if not inspect(connection).has_table("catalog_facts"):
                metadata.create_all(connection)
                connection.execute(catalog_facts.insert().values(name="schema_version", value=str(SCHEMA_VERSION)))
                return
            _migrate(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the catalog."""
        with _words_for_failures(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are stored as a whole, durably, when the block ends; one writer at a time."""
        with _words_for_failures(), self._engine.connect() as plain:
            connection = plain.execution_options(sightline_writes=True)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _WRITE_LOCK_NUMBER})
                yield connection

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()


def _open_engine(url: str) -> Engine:
    if url.startswith("postgresql"):
        try:
            importlib.import_module("psycopg")
        except ImportError as problem:
            raise MissingPackageError(
                "A shared catalog needs the package psycopg.", "Install it with: pip install 'sightline[postgresql]'"
            ) from problem
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _on_connected(raw_connection: object, _entry: ConnectionPoolEntry) -> None:
        # sqlite3 would begin transactions by itself and too late; "begin" below does it.
        raw_connection.isolation_level = None  # type: ignore[attr-defined]  # a sqlite3 connection
        cursor = raw_connection.cursor()  # type: ignore[attr-defined]  # a sqlite3 connection
        # WAL: readers never wait for the writer. FULL: a commit survives a power cut.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begun(connection: Connection) -> None:
        is_writer = connection.get_execution_options().get("sightline_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine


def _migrate(connection: Connection) -> None:
    stored = connection.scalar(select(catalog_facts.c.value).where(catalog_facts.c.name == "schema_version"))
    version = int(stored or 0)
    if version > SCHEMA_VERSION:
        raise NewerVersionError(
            f"The catalog has version {version}; this Sightline knows versions up to {SCHEMA_VERSION}.",
            "Open the study with a newer Sightline.",
        )
    for module in sorted(pkgutil.iter_modules(migrations.__path__), key=lambda found: int(found.name.split("_")[1])):
        number = int(module.name.split("_")[1])
        if version < number <= SCHEMA_VERSION:
            importlib.import_module(f"storage.migrations.{module.name}").migrate(connection)
            version = number
    connection.execute(
        catalog_facts.update().where(catalog_facts.c.name == "schema_version").values(value=str(SCHEMA_VERSION))
    )


@contextmanager
def _words_for_failures() -> Iterator[None]:
    try:
        yield
    except OperationalError as problem:
        reason = str(problem.orig)
        if "disk is full" in reason or "disk full" in reason.lower():
            raise StorageFullError("The disk is full; nothing was changed.", "Make room and try again.") from problem
        if "locked" in reason:
            raise UserFacingError(
                "The study catalog is busy in another program.", "Wait for that program to finish, then try again."
            ) from problem
        raise UserFacingError(
            f"The study catalog cannot be used: {reason.strip().splitlines()[0]}.",
            "Check that the study folder can be written, or that the database server runs.",
        ) from problem
    except DatabaseError as problem:
        if "malformed" in str(problem.orig) or "not a database" in str(problem.orig):
            raise BadFileError(
                f"The study catalog is damaged: {problem.orig}.", "Put back catalog.sqlite from a backup."
            ) from problem
        raise
    except UnicodeDecodeError as problem:
        raise BadFileError(
            f"The study catalog is damaged: {problem}.", "Put back catalog.sqlite from a backup."
        ) from problem
    except SQLAlchemyError:
        raise
