from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from domain.errors import UserFacingError
from domain.labels import LabelParameters
from storage.snapshot_file import Snapshot, SnapshotSource, SnapshotWriter
from tests.unit.training.conftest import blob
from training.config import preset
from training.finding import refuse_if_fatal
from training.preflight import check


def _sources(n: int = 8) -> list[SnapshotSource]:
    sources = []
    for number in range(n):
        image, mask, heat = blob(number, (40, 50))
        split = "val" if number % 4 == 3 else "train"
        sources.append(
            SnapshotSource(
                f"i{number}", image, [heat], mask, "reviewed", case=f"c{number}", split=split, outside_share=0.05
            )
        )
    return sources


def _frozen(folder: Path, sources: list[SnapshotSource]) -> Snapshot:
    with SnapshotWriter(folder / "s", target="polyp", labels=LabelParameters(), is_simulated=True) as writer:
        for source in sources:
            writer.add(source)
        return writer.finish()


def _wild(source: SnapshotSource) -> SnapshotSource:
    return replace(source, maps=[np.roll(source.maps[0], (20, 25), (0, 1)) * (1 - source.mask)])


def _without(source: SnapshotSource) -> SnapshotSource:
    """Somebody said that there is no target here."""
    return replace(source, maps=[source.maps[0] * 0], mask=np.zeros_like(source.mask))


Change = Callable[[list[SnapshotSource]], list[SnapshotSource]]
CASES: list[tuple[str, Change, str, bool]] = [
    ("too few", lambda s: s[:3], "too few images", True),
    ("copies", lambda s: [*s, replace(s[0], item_id="copy", case="c99")], "duplicates", False),
    ("mostly copies", lambda s: [*s, *(replace(s[0], item_id=f"copy{n}") for n in range(3))], "duplicates", True),
    ("copies of few", lambda s: [*s[:3], *(replace(s[0], item_id=f"x{n}") for n in range(3))], "too few images", True),
    ("copy in two parts", lambda s: [*s, replace(s[0], item_id="copy", case="c99", split="test")], "leakage", True),
    ("case in two parts", lambda s: [*s[:-1], replace(s[-1], case="c0")], "leakage", True),
    ("no maps", lambda s: [replace(x, maps=[]) for x in s], "too few images", True),
    ("some maps missing", lambda s: [replace(s[0], maps=[]), *s[1:]], "missing labels", False),
    ("all empty", lambda s: [replace(x, maps=[x.maps[0] * 0]) for x in s], "empty labels", True),
    ("one empty", lambda s: [replace(s[0], maps=[s[0].maps[0] * 0]), *s[1:]], "empty labels", False),
    ("inverted", lambda s: [replace(x, maps=[1 - 0.4 * x.maps[0]]) for x in s], "inverted labels", True),
    ("below every threshold", lambda s: [replace(x, maps=[0.2 * x.maps[0]]) for x in s], "empty labels", True),
    ("no core in most", lambda s: [s[0], *(replace(x, maps=[0.4 * x.maps[0]]) for x in s[1:])], "empty labels", True),
    ("mostly without target", lambda s: [*s[:2], *(_without(x) for x in s[2:])], "empty labels", False),
    ("inverse of the target", lambda s: [replace(x, maps=[1 - x.maps[0]]) for x in s], "inverted labels", True),
    ("inverted masks", lambda s: [replace(x, mask=~x.mask) for x in s], "inverted labels", True),
    ("gaze elsewhere", lambda s: [replace(x, outside_share=0.9) for x in s], "gaze off the image", True),
    ("webcam-grade gaze", lambda s: [_wild(x) for x in s], "labels disagree with reviewed masks", True),
    (
        "webcam-grade gaze, delivered masks",
        lambda s: [replace(_wild(x), mask_origin="reference") for x in s],
        "labels disagree with reviewed masks",
        True,
    ),
]


@pytest.mark.parametrize(("change", "kind", "is_fatal"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_that_bad_data_is_found_and_named(tmp_path: Path, change: Change, kind: str, is_fatal: bool) -> None:
    findings = check(_frozen(tmp_path, change(_sources())), preset("tiny"))
    found = [finding for finding in findings if finding.kind == kind]
    assert found, [finding.kind for finding in findings]
    assert found[0].is_fatal == is_fatal
    assert found[0].message
    assert found[0].hint
    if is_fatal:
        with pytest.raises(UserFacingError):
            refuse_if_fatal(findings)


def test_that_good_data_passes_without_a_word(tmp_path: Path) -> None:
    assert check(_frozen(tmp_path, _sources()), preset("tiny")) == []


def test_that_full_masks_that_are_inverted_are_refused(tmp_path: Path) -> None:
    sources = [replace(source, mask=~source.mask) for source in _sources()]
    findings = check(_frozen(tmp_path, sources), preset("tiny", supervision="full"))
    assert [(finding.kind, finding.is_fatal) for finding in findings] == [("inverted labels", True)]


def test_that_a_large_target_is_not_taken_for_an_inverted_one(tmp_path: Path) -> None:
    sources = []
    for source in _sources():
        large = np.zeros_like(source.mask)
        large[2:-2, :46] = True  # most of the image, out of it on one side
        sources.append(replace(source, maps=[large.astype(np.float32)], mask=large))
    assert check(_frozen(tmp_path, sources), preset("tiny")) == []


def test_that_masks_of_the_test_part_decide_nothing(tmp_path: Path) -> None:
    sources = _sources()
    sources = [*sources[:5], *(replace(_wild(source), split="test") for source in sources[5:])]
    assert check(_frozen(tmp_path, sources), preset("tiny")) == []


def test_that_a_truncated_image_is_found_before_training(tmp_path: Path) -> None:
    snapshot = _frozen(tmp_path, _sources())
    path = snapshot.folder / snapshot.items[2].image
    path.write_bytes(path.read_bytes()[:100])
    findings = check(snapshot, preset("tiny"))
    assert [finding.items for finding in findings if finding.kind == "unreadable"] == [("i2",)]
