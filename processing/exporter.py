"""What an exporter is: it says what is wrong, which files it makes, and how each is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from domain.registry import Registry

if TYPE_CHECKING:
    from processing.export_source import ExportSource

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something the preflight noticed. An error stops the export; `image_ids` says where."""

    level: Level
    topic: str
    text: str
    image_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportItem:
    """One file of an export, or a few that one computation gives: where they lie, and what writes them there.

    `write` gets as many paths as there are in `paths`; their folders exist.
    """

    paths: tuple[str, ...]
    write: Callable[[Sequence[Path]], None]

    @classmethod
    def one(cls, path: str, write: Callable[[Path], None]) -> ExportItem:
        """An item of one file."""
        return cls((path,), lambda targets: write(targets[0]))


@dataclass(frozen=True)
class ExportOptions:
    """What a person may decide for an export.

    target: which one, where the format holds one; "" = the first that was annotated. annotators: whose reads, () = all.
    masks: `auto` = accepted, else reference, else newest; `accepted`, `reference`, `newest` alone; `gaze` = the first
    level of the gaze map. test_share, seed: how images without a split are divided, whole cases together.
    more: settings of one format.
    """

    target: str = ""
    annotators: tuple[str, ...] = ()
    masks: Literal["auto", "accepted", "reference", "newest", "gaze"] = "auto"
    test_share: float = 0.1
    seed: int = 1
    only_with_gaze: bool = False
    more: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Plain values for a manifest."""
        return {**self.__dict__, "annotators": list(self.annotators), "more": dict(self.more)}


class Exporter(Protocol):
    """Writes one foreign format. `settings` names the keys of `ExportOptions.more` and what they mean."""

    title: str
    settings: Mapping[str, str]
    needs_masks: bool

    def preflight(self, source: ExportSource) -> list[Finding]:
        """What this format cannot hold or will change, beyond what holds for all formats."""
        ...

    def items(self, source: ExportSource) -> list[ExportItem]:
        """All files of the export."""
        ...


exporters: Registry[Exporter] = Registry("export format", "processing.exporters")


def text_item(path: str, text: str) -> ExportItem:
    """A text file whose content is known already."""

    def write(target: Path) -> None:
        target.write_text(text, encoding="utf-8", newline="\n")

    return ExportItem.one(path, write)
