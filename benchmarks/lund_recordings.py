"""Recordings labelled by people (Andersson et al. 2017, dots and videos), and how detectors are scored against them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from domain.display import Display
from domain.gaze import GazeSamples

DISPLAY = Display(size_px=(1024, 768), size_mm=(380.0, 300.0), distance_mm=670.0)
RATE_HZ = 500
FIXATION, SACCADE, PURSUIT = 1, 2, 4


@dataclass(frozen=True)
class Recording:
    """One recording at 500 Hz: gaze (n, 2) in screen pixels, lost samples, the labels of both coders (n,)."""

    name: str
    kind: str
    gaze_px: np.ndarray
    is_lost: np.ndarray
    mn: np.ndarray
    ra: np.ndarray


def read_recordings(folder: Path) -> list[Recording]:
    """All recordings that both coders labelled."""
    found = []
    for path in sorted(folder.glob("*_labelled_MN.mat")):
        name = path.name.removesuffix("_labelled_MN.mat")
        mn, ra = (_positions(folder / f"{name}_labelled_{coder}.mat") for coder in ("MN", "RA"))
        n = min(len(mn), len(ra))
        gaze = mn[:n, 3:5]
        is_lost = ~np.isfinite(gaze).all(axis=1) | (gaze == 0).all(axis=1)
        kind = "videos" if "video" in name else "dots"
        found.append(Recording(name, kind, gaze, is_lost, mn[:n, 5].astype(int), ra[:n, 5].astype(int)))
    return found


def _positions(path: Path) -> np.ndarray:
    return np.asarray(scipy.io.loadmat(path, squeeze_me=True, struct_as_record=False)["ETdata"].pos, float)


def as_samples(gaze_px: np.ndarray, is_lost: np.ndarray, interval_ns: int) -> GazeSamples:
    """The gaze of both eyes at the recorded place."""
    n = len(gaze_px)
    norm = np.repeat((gaze_px / np.array(DISPLAY.size_px))[:, None], 2, axis=1)
    norm[is_lost] = np.nan
    valid = np.isfinite(norm).all(axis=2)
    missing = np.full((n, 2, 3), np.nan)
    time_ns = np.arange(n, dtype=np.int64) * interval_ns
    no = np.zeros((n, 2), bool)
    return GazeSamples(
        seq=np.arange(n),
        time_ns=time_ns,
        device_us=time_ns // 1000,
        system_us=time_ns // 1000,
        gaze_norm=norm,
        gaze_mm=missing,
        origin_mm=missing,
        pupil_mm=np.full((n, 2), np.nan),
        openness_mm=np.full((n, 2), np.nan),
        gaze_valid=valid,
        origin_valid=no,
        pupil_valid=no,
        openness_valid=no,
        segment=np.zeros(n, np.int64),
    )


def with_noise(recording: Recording, noise_deg: float, rng: np.random.Generator) -> np.ndarray:
    """The gaze with white noise of that standard deviation per axis."""
    per_deg = np.array(DISPLAY.px_per_deg())
    return recording.gaze_px + rng.normal(0, 1, recording.gaze_px.shape) * noise_deg * per_deg


def kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Cohen's kappa of two yes-or-no labellings of the same samples."""
    agreed = np.mean(first == second)
    by_chance = first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    return float((agreed - by_chance) / (1 - by_chance)) if by_chance < 1 else float("nan")


def matched_events(found: np.ndarray, wanted: np.ndarray, overlap: float = 0.5) -> tuple[int, int, int]:
    """(matches, events found, events wanted): runs of True that share at least half of their union, one to one."""
    first, second = _runs(found), _runs(wanted)
    used: set[int] = set()
    n_matched = 0
    for begin, end in first:
        best, best_share = -1, 0.0
        for j, (other_begin, other_end) in enumerate(second):
            shared = min(end, other_end) - max(begin, other_begin)
            share = shared / (max(end, other_end) - min(begin, other_begin))
            if shared > 0 and j not in used and share > best_share:
                best, best_share = j, share
        if best_share >= overlap:
            n_matched += 1
            used.add(best)
    return n_matched, len(first), len(second)


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


@dataclass
class Score:
    """Agreement pooled over recordings."""

    first: list[np.ndarray]
    second: list[np.ndarray]
    n_matched: int = 0
    n_found: int = 0
    n_wanted: int = 0

    @classmethod
    def empty(cls) -> Score:
        """Nothing scored yet."""
        return cls([], [])

    def add(self, found: np.ndarray, wanted: np.ndarray) -> None:
        """One recording more."""
        self.first.append(found)
        self.second.append(wanted)
        n_matched, n_found, n_wanted = matched_events(found, wanted)
        self.n_matched, self.n_found, self.n_wanted = (
            self.n_matched + n_matched,
            self.n_found + n_found,
            self.n_wanted + n_wanted,
        )

    @property
    def kappa(self) -> float:
        """Over all samples."""
        return kappa(np.concatenate(self.first), np.concatenate(self.second))

    @property
    def event_f1(self) -> float:
        """Of events that share at least half of their union."""
        total = self.n_found + self.n_wanted
        return 2 * self.n_matched / total if total else float("nan")
