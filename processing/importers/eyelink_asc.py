"""EyeLink recordings converted to ASC: samples of one or both eyes, EyeLink's fixations, messages.

Source: SR Research, EyeLink 1000 Plus user manual, section 4.9 (ASC file format).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.display import Display
from domain.errors import BadFileError
from domain.events import CancelToken, OnProgress, Progress
from domain.fixations import Fixations
from processing.foreign_gaze import (
    SampleTable,
    ShownPicture,
    assumed_screen,
    checked_samples,
    fixations_on_display,
    make_session,
)
from processing.importer import FoundSession, ImportOptions, ImportPlan, importers
from processing.importers.tobii_research import screen_option
from processing.table_text import read_text

_SCREEN = re.compile(r"(?:DISPLAY_COORDS|GAZE_COORDS)\s*=?\s*(-?[\d.]+)[ ,]+(-?[\d.]+)[ ,]+(-?[\d.]+)[ ,]+(-?[\d.]+)")
_PICTURE = re.compile(r"!V\s+IMGLOAD\s+(?:\S+\s+)?(\S+\.(?:jpe?g|png|tiff?|bmp|dcm))", re.IGNORECASE)


class EyeLinkAscImporter:
    """Reads what `edf2asc` writes."""

    title = "EyeLink ASC (edf2asc)"
    kind: Literal["images", "gaze"] = "gaze"

    def scan(
        self, source: Path, options: ImportOptions, *, on_progress: OnProgress, cancel: CancelToken | None
    ) -> ImportPlan:
        """One session per file."""
        text = read_text(source)
        if "START" not in text or not text.lstrip().startswith(("**", "MSG", "START", ">>>")):
            raise BadFileError(f"{source} is not an EyeLink ASC file.", "Convert the .edf with edf2asc first.")
        reading = _Reading(source)
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if number % 20_000 == 0:
                on_progress(Progress(number, len(lines), source.name))
                if cancel is not None:
                    cancel.raise_if_cancelled()
            reading.take(number, line, is_last=number == len(lines) - 1)
        on_progress(Progress(len(lines), len(lines)))
        warnings = ["EyeLink does not tell the screen's size; 96 dpi is assumed. Pupil sizes are not millimetres."]
        if reading.is_open:
            warnings.append(f"{source.name} ends within a recording; what is there was taken.")
        return ImportPlan(sessions=(reading.session(options),), warnings=tuple(warnings))


importers.register("eyelink-asc")(EyeLinkAscImporter())


class _Reading:
    """What has been read of one file so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.is_open = False
        self._eyes: list[int] = []
        self._size_px: tuple[int, int] | None = None
        self._origin_px = (0.0, 0.0)
        self._rows: list[tuple[float, float, float, float, float, float, float, int]] = []
        self._fixations: list[tuple[float, float, float, float]] = []
        self._shown: list[tuple[str, float]] = []
        self._ends: list[float] = []
        self._block = 0

    def take(self, number: int, line: str, *, is_last: bool = False) -> None:
        """One line; the last one of a file that was cut off may be half a line."""
        if not line or line.startswith("**"):
            return
        try:
            if line[0].isdigit():
                self._take_sample(line)
            elif line.startswith("START"):
                words = line.split()
                self._eyes = [eye for eye, name in enumerate(("LEFT", "RIGHT")) if name in words]
                self.is_open, self._block = True, self._block + 1
            elif line.startswith("END"):
                self.is_open = False
                self._ends.append(float(line.split()[1]))
            elif line.startswith("EFIX"):
                words = line.split()
                self._fixations.append((float(words[2]), float(words[3]), float(words[5]), float(words[6])))
            elif line.startswith("MSG"):
                self._take_message(line)
        except (ValueError, IndexError) as problem:
            if is_last and self._rows:
                self.is_open = True
                return
            raise BadFileError(
                f"{self._path}, line {number + 1} cannot be understood: {line[:60]!r}.", "Convert the .edf again."
            ) from problem

    def session(self, options: ImportOptions) -> FoundSession:
        """All that was read, as a session."""
        size_px = self._size_px or screen_option(options, (1024, 768))
        table = np.array(self._rows, np.float64).reshape(-1, 8)
        time_ns = np.rint(table[:, 0] * 1e6).astype(np.int64)
        gaze = table[:, [1, 2, 4, 5]].reshape(-1, 2, 2) - np.asarray(self._origin_px)
        samples = checked_samples(
            self._path,
            SampleTable(
                time_ns=time_ns,
                device_us=time_ns // 1000,
                gaze_px=gaze,
                # EyeLink's pupil area or diameter has no unit of length: it cannot stand in a column of millimetres.
                pupil_mm=np.full((len(table), 2), np.nan),
                is_valid=np.isfinite(gaze).all(axis=2),
                segment=table[:, 7].astype(np.int64),
            ),
            size_px,
        )
        fit = assumed_screen(size_px)
        return make_session(
            self._path,
            samples,
            driver="eyelink asc",
            model="EyeLink",
            display=Display(size_px, fit.size_mm),
            pictures=self._pictures(),
            annotator=options.annotator,
            fixations=self._found_fixations(time_ns, size_px),
            settings={"screen_size_is_assumed": True, "pupil": "left out: arbitrary units"},
        )

    def _take_sample(self, line: str) -> None:
        words = line.split()
        values = [float(words[0])] + [float("nan")] * 6
        for place, eye in enumerate(self._eyes or [0]):
            for k in range(3):
                text = words[1 + 3 * place + k]
                values[1 + 3 * eye + k] = float("nan") if text == "." else float(text)
        self._rows.append((*values, self._block))  # type: ignore[arg-type]  # seven floats by the line above

    def _take_message(self, line: str) -> None:
        _, _, rest = line.partition("\t") if "\t" in line else line.partition(" ")
        stamp, _, text = rest.strip().partition(" ")
        if self._size_px is None and (match := _SCREEN.search(text)):
            left, top, right, bottom = (float(value) for value in match.groups())
            if right > left and bottom > top:
                self._size_px = (round(right - left + 1), round(bottom - top + 1))
                self._origin_px = (left, top)
        if match := _PICTURE.search(text):
            self._shown.append((Path(match.group(1).replace("\\", "/")).name, float(stamp)))
        elif text.strip() in ("!V CLEAR", "TRIAL OK", "BLANK_SCREEN") or text.startswith("TRIAL_RESULT"):
            self._ends.append(float(stamp))

    def _pictures(self) -> list[ShownPicture]:
        pictures = []
        last = self._rows[-1][0] if self._rows else 0.0
        for number, (name, onset) in enumerate(self._shown):
            following = self._shown[number + 1][1] if number + 1 < len(self._shown) else last
            ends = [end for end in self._ends if onset < end <= following]
            pictures.append(ShownPicture(name, int(onset * 1e6), int((ends[0] if ends else following) * 1e6)))
        return pictures

    def _found_fixations(self, time_ns: NDArray[np.int64], size_px: tuple[int, int]) -> Fixations | None:
        if not self._fixations:
            return None
        table = np.array(self._fixations, np.float64)
        centre = (table[:, 2:] - np.asarray(self._origin_px)) / np.asarray(size_px, np.float64)
        # The end in EFIX is the time of the last sample; the fixation lasts until the next one.
        interval = float(np.median(np.diff(time_ns))) if len(time_ns) > 1 else 0.0
        onset = np.rint(table[:, 0] * 1e6).astype(np.int64)
        offset = np.rint(table[:, 1] * 1e6 + interval).astype(np.int64)
        return fixations_on_display(onset, offset, centre, time_ns)
