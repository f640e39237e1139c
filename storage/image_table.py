"""The images of a study in the catalog."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, func, or_, select

from domain.study import StudyImage
from storage.catalog import images


def insert(connection: Connection, new_images: Sequence[StudyImage]) -> None:
    """Add images after those there are."""
    first = (connection.scalar(select(func.max(images.c.position))) or 0) + 1
    rows = [{**_columns(image), "position": first + i} for i, image in enumerate(new_images)]
    if rows:
        connection.execute(images.insert(), rows)


def update(connection: Connection, image: StudyImage) -> None:
    """Change what is known of an image."""
    connection.execute(images.update().where(images.c.image_id == image.image_id).values(**_columns(image)))


def find(connection: Connection, *, search: str = "", split: str = "") -> list[StudyImage]:
    """Images in the order of their import, whose id, case or origin contains `search`."""
    query = select(images).order_by(images.c.position)
    if search:
        fields = (images.c.image_id, images.c.case_id, images.c.origin)
        query = query.where(or_(*(func.lower(field).contains(search.lower(), autoescape=True) for field in fields)))
    if split:
        query = query.where(images.c.split == split)
    return [_image(row) for row in connection.execute(query).mappings()]


def get(connection: Connection, image_id: str) -> StudyImage | None:
    """One image."""
    row = connection.execute(select(images).where(images.c.image_id == image_id)).mappings().one_or_none()
    return _image(row) if row else None


def of_stack(connection: Connection, stack: str) -> list[StudyImage]:
    """The slices of a stack in their order."""
    query = select(images).where(images.c.stack == stack).order_by(images.c.stack_position, images.c.position)
    return [_image(row) for row in connection.execute(query).mappings()]


def known_ids(connection: Connection) -> set[str]:
    """All ids in use."""
    return set(connection.scalars(select(images.c.image_id)))


def ids_by_hash(connection: Connection) -> dict[tuple[str, int], str]:
    """(sha256, slice) of each image file to the id it has."""
    rows = connection.execute(select(images.c.sha256, images.c.slice_index, images.c.image_id))
    return {(row[0], int(row[1])): row[2] for row in rows if row[0]}


def _columns(image: StudyImage) -> dict[str, object]:
    return {
        "image_id": image.image_id,
        "path": image.path,
        "width": image.size[0],
        "height": image.size[1],
        "sha256": image.sha256,
        "case_id": image.case,
        "split": image.split,
        "n_slices": image.n_slices,
        "slice_index": image.slice_index,
        "mask_path": image.mask_path,
        "origin": image.origin,
        "stack": image.stack,
        "stack_position": image.stack_position,
        "file_sha256": image.file_sha256,
    }


def _image(row: RowMapping) -> StudyImage:
    return StudyImage(
        image_id=row["image_id"],
        path=row["path"],
        size=(row["width"], row["height"]),
        sha256=row["sha256"],
        case=row["case_id"],
        split=row["split"],
        n_slices=row["n_slices"],
        mask_path=row["mask_path"],
        origin=row["origin"],
        slice_index=row["slice_index"],
        stack=row["stack"],
        stack_position=row["stack_position"],
        file_sha256=row["file_sha256"],
    )
