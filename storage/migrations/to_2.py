"""Version 2: slices that lie in files of their own belong to a stack; the hash of the study's own copy is kept."""

from __future__ import annotations

from sqlalchemy import Connection, text

info = "images: stack, stack_position, file_sha256"


def migrate(connection: Connection) -> None:
    """Add the columns; images of before are no slices of a stack, and the hash of their copies is not known."""
    connection.execute(text("ALTER TABLE images ADD COLUMN stack VARCHAR NOT NULL DEFAULT ''"))
    connection.execute(text("ALTER TABLE images ADD COLUMN stack_position FLOAT NOT NULL DEFAULT 0"))
    connection.execute(text("ALTER TABLE images ADD COLUMN file_sha256 VARCHAR NOT NULL DEFAULT ''"))
    connection.execute(text("CREATE INDEX ix_images_stack ON images (stack)"))
