"""What Sightline remembers for one person on one machine: recents, keys, screens, comfort."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from workflows.data_folder import settings_file

_log = logging.getLogger(__name__)
N_RECENTS = 8


@dataclass
class UserSettings:
    """One person's settings on one machine; `save` writes them, `load` forgives what it does not know."""

    recents: list[str] = field(default_factory=list)
    own_keys: dict[str, list[str]] = field(default_factory=dict)
    annotator: str = "annotator"
    tracker: str = "simulated"
    language: str = "en"
    text_scale: float = 1.0
    lock_view: bool = False
    overlay_opacity: float = 0.45
    colour_map: str = "viridis"
    annotate_screen: str = ""
    recording_mode: str = "continuous"
    screens_mm: dict[str, list[float]] = field(default_factory=dict)
    path: str = ""

    @classmethod
    def load(cls, path: Path | None = None) -> UserSettings:
        """The settings of this machine's user; the defaults where there are none or they cannot be read."""
        path = path if path is not None else settings_file()
        values: dict[str, object] = {}
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            values = read if isinstance(read, dict) else {}
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            _log.warning("settings at %s cannot be read, starting with the defaults: %s", path, error)
        known = {f.name for f in fields(cls)} - {"path"}
        defaults = cls()
        fitting = {
            name: value
            for name, value in values.items()
            if name in known and isinstance(value, type(getattr(defaults, name)))
        }
        return cls(**fitting, path=str(path))

    def save(self) -> None:
        """Write beside, then replace."""
        if not self.path:
            return
        path = Path(self.path)
        values = asdict(self)
        del values["path"]
        beside = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(values, indent=2), encoding="utf-8")
            os.replace(beside, path)
        except OSError as error:
            _log.warning("settings cannot be saved at %s: %s", path, error)

    def add_recent(self, folder: Path) -> None:
        """Put a study at the head of the recents."""
        text = str(folder)
        self.recents = [text, *(other for other in self.recents if other != text)][:N_RECENTS]
        self.save()

    def forget_recent(self, folder: str) -> None:
        """Take a study off the recents."""
        self.recents = [other for other in self.recents if other != folder]
        self.save()
