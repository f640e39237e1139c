"""Everything an annotator changes, in one journal: undo and redo across images, after closing, after a crash."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.journal import JournalEvent, JournalWriter, read_journal
from workflows.mask_editing import Mask, Patch

_log = logging.getLogger(__name__)
SYNC_EVERY_S = 0.5
MAX_UNDO_BYTES = 128 << 20
FORMAT_VERSION = 1

Place = tuple[str, str]
"""Image id and target."""


@dataclass(frozen=True)
class MaskEdit:
    """One stroke, polygon, fill or change of level."""

    place: Place
    tool: str
    patch: Patch


@dataclass(frozen=True)
class Decision:
    """One decision about an image: accept, skip, flag, no target; `before` and `after` are what it changes.

    `mask` holds the packed bits of a mask that is accepted: the journal alone can make the study's file again.
    """

    place: Place
    before: Mapping[str, object]
    after: Mapping[str, object]
    mask: bytes = b""


Edit = MaskEdit | Decision


@dataclass
class HistoryState:
    """What the journal says: the working mask of each image, the standing decision, what can be undone and redone."""

    masks: dict[Place, Mask] = field(default_factory=dict)
    decisions: dict[Place, Mapping[str, object]] = field(default_factory=dict)
    done: list[Edit] = field(default_factory=list)
    undone: list[Edit] = field(default_factory=list)
    accepted: dict[str, tuple[Place, bytes]] = field(default_factory=dict)

    def begin(self, place: Place, mask: Mask) -> None:
        """A working mask begins as this."""
        self.masks[place] = mask.copy()

    def do(self, edit: Edit) -> None:
        """Apply an edit; what was undone before cannot be redone any more."""
        self._turn(edit, forward=True)
        if isinstance(edit, Decision) and edit.mask:
            self.accepted[str(edit.after["sha256"])] = (edit.place, edit.mask)
        self.done.append(edit)
        self.undone.clear()
        self._forget_the_oldest()

    def accepted_mask(self, sha256: str) -> Mask | None:
        """The mask that was accepted under this digest."""
        found = self.accepted.get(sha256)
        if found is None:
            return None
        place, bits = found
        height, width = self.masks[place].shape
        return unpacked(bits, (height, width))

    def undo(self) -> Edit | None:
        """Take the last edit back."""
        if not self.done:
            return None
        edit = self.done.pop()
        self._turn(edit, forward=False)
        self.undone.append(edit)
        return edit

    def redo(self) -> Edit | None:
        """Do again what was undone last."""
        if not self.undone:
            return None
        edit = self.undone.pop()
        self._turn(edit, forward=True)
        self.done.append(edit)
        return edit

    def _turn(self, edit: Edit, *, forward: bool) -> None:
        if isinstance(edit, MaskEdit):
            edit.patch.apply(self.masks[edit.place])
        else:
            self.decisions[edit.place] = edit.after if forward else edit.before

    def _forget_the_oldest(self) -> None:
        total = sum(len(edit.patch.bits) + 200 for edit in self.done if isinstance(edit, MaskEdit))
        while total > MAX_UNDO_BYTES and len(self.done) > 1:
            oldest = self.done.pop(0)
            total -= len(oldest.patch.bits) + 200 if isinstance(oldest, MaskEdit) else 0


class EditHistory:
    """The state and its journal. Each change is in the file before the call returns, and on the disk half a second
    later. Each opening writes a new segment, so that a torn end of an old one is never written after.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.state = HistoryState()
        self.n_lost = 0
        segments = sorted(folder.glob("*.journal"))
        for segment in segments:
            self._replay(segment)
        number = int(segments[-1].stem) + 1 if segments else 1
        self._writer = JournalWriter(folder / f"{number:06d}.journal", {"format": FORMAT_VERSION, "kind": "edits"})
        self._stop = threading.Event()
        self._is_dirty = threading.Event()
        self._sync_thread = threading.Thread(target=self._keep_synced, name="edit-history", daemon=True)
        self._sync_thread.start()

    def begin(self, place: Place, mask: Mask) -> None:
        """Note how a working mask begins."""
        self.state.begin(place, mask)
        values: dict[str, object] = {"image": place[0], "target": place[1], "shape": list(mask.shape)}
        self._write("begin", values, packed(mask))

    def do(self, edit: Edit) -> None:
        """Apply an edit and note it."""
        self.state.do(edit)
        kind, values, blob = _as_event(edit)
        self._write(kind, values, blob)

    def undo(self) -> Edit | None:
        """Take the last edit back and note it; None when there is none."""
        edit = self.state.undo()
        if edit is not None:
            self._write("undo", {})
        return edit

    def redo(self) -> Edit | None:
        """Do again what was undone; None when there is nothing."""
        edit = self.state.redo()
        if edit is not None:
            self._write("redo", {})
        return edit

    def close(self) -> None:
        """Everything to the disk; the file ends in order."""
        self._stop.set()
        self._is_dirty.set()
        self._sync_thread.join(timeout=10)
        self._writer.close({})

    def _write(self, kind: str, values: dict[str, object], blob: bytes = b"") -> None:
        self._writer.write_event(JournalEvent(kind, values, blob))
        self._is_dirty.set()

    def _keep_synced(self) -> None:
        while not self._stop.is_set():
            self._is_dirty.wait()
            self._is_dirty.clear()
            try:
                self._writer.sync()
            except OSError as problem:
                _log.error("edits are not on the disk yet: %s", problem)
            self._stop.wait(SYNC_EVERY_S)

    def _replay(self, segment: Path) -> None:
        journal = read_journal(segment)
        self.n_lost += journal.n_frames_missing
        for event in journal.events:
            _replay_event(self.state, event)


def _as_event(edit: Edit) -> tuple[str, dict[str, object], bytes]:
    image_id, target = edit.place
    if isinstance(edit, MaskEdit):
        values: dict[str, object] = {
            "image": image_id,
            "target": target,
            "tool": edit.tool,
            "box": list(edit.patch.box),
        }
        return "mask", values, edit.patch.bits
    values = {"image": image_id, "target": target, "before": dict(edit.before), "after": dict(edit.after)}
    return "decision", values, edit.mask


def _replay_event(state: HistoryState, event: JournalEvent) -> None:
    values = event.values
    if event.kind == "undo":
        state.undo()
    elif event.kind == "redo":
        state.redo()
    elif event.kind == "begin":
        height, width = values["shape"]
        state.begin((values["image"], values["target"]), unpacked(event.blob, (height, width)))
    elif event.kind == "mask":
        top, left, bottom, right = values["box"]
        patch = Patch((top, left, bottom, right), event.blob)
        state.do(MaskEdit((values["image"], values["target"]), values["tool"], patch))
    elif event.kind == "decision":
        state.do(Decision((values["image"], values["target"]), values["before"], values["after"], event.blob))


def packed(mask: NDArray[np.bool_]) -> bytes:
    """A mask as compressed packed bits."""
    return zlib.compress(np.packbits(mask).tobytes(), 1)


def unpacked(blob: bytes, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask from compressed packed bits."""
    flat = np.unpackbits(np.frombuffer(zlib.decompress(blob), np.uint8), count=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.bool_)
