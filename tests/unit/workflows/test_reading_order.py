"""Reading by doubt is chosen by a person, recorded, and leaves the random order as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.study import Role, StudyImage, StudySettings, Target
from storage.study import Study
from workflows.doubt import PredictedImage, doubts_path, write_doubts
from workflows.reading_order import ReadingOrder, choose_order, order_facts, reading_order
from workflows.worklist import make_worklist, next_unfinished


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study.create(tmp_path / "s", StudySettings("s", (Target("polyp"), Target("ulcer", 2))))
    made.add_images([StudyImage(f"i{n}", f"images/{n}.png", (8, 6)) for n in range(8)])
    return made


def predicted(study: Study) -> list[str]:
    """Doubts of six of the eight images, the most doubtful last in the random order."""
    seeded = study.order("anna")
    found = [PredictedImage(image_id, place / 10, 0.1) for place, image_id in enumerate(seeded[:6])]
    write_doubts(study, "polyp", Path("runs/1/model.safetensors"), found)
    return seeded


def ids(study: Study, target: str = "polyp") -> list[str]:
    return [row.image_id for row in make_worklist(study, "anna", target, role=Role.ANNOTATOR).rows]


def test_that_predictions_alone_change_no_order(study: Study):
    seeded = predicted(study)
    assert ids(study) == seeded
    listed = make_worklist(study, "anna", "polyp", role=Role.ANNOTATOR)
    assert listed.is_predicted
    assert listed.order is ReadingOrder.RANDOM
    assert order_facts(study, "anna", "polyp") == {"reading_order": "random", "order_seed": "1"}
    assert not make_worklist(study, "anna", "ulcer", role=Role.ANNOTATOR).is_predicted


def test_that_the_chosen_order_begins_with_doubt_keeps_names_and_is_recorded_once(study: Study):
    seeded = predicted(study)
    assert choose_order(study, "anna", "polyp", ReadingOrder.DOUBT)
    assert not choose_order(study, "anna", "polyp", ReadingOrder.DOUBT)
    wanted = [*reversed(seeded[:6]), *seeded[6:]]
    listed = make_worklist(study, "anna", "polyp", role=Role.ANNOTATOR)
    assert [row.image_id for row in listed.rows] == wanted
    assert {row.image_id: row.shown_name for row in listed.rows} == {
        image_id: f"Image {number}" for number, image_id in enumerate(seeded, start=1)
    }
    assert next_unfinished(listed.rows).image_id == wanted[0]
    (entry,) = [entry for entry in study.audit_entries() if entry.action == "reading order chosen"]
    assert entry.subject == "anna/polyp"
    assert "model.safetensors" in entry.details
    assert '"seed": 1' in entry.details
    facts = order_facts(study, "anna", "polyp")
    assert facts["reading_order"] == "most doubtful first"
    assert facts["order_model"] == "runs/1/model.safetensors"
    assert ids(study, "ulcer") == seeded
    assert [row.image_id for row in make_worklist(study, "ben", "polyp", role=Role.ANNOTATOR).rows] == study.order(
        "ben"
    )
    with Study.open(study.folder) as again:
        assert reading_order(again, "anna", "polyp") is ReadingOrder.DOUBT
    choose_order(study, "anna", "polyp", ReadingOrder.RANDOM)
    assert ids(study) == seeded


def test_that_a_damaged_or_lost_prediction_leaves_the_random_order(study: Study):
    seeded = predicted(study)
    choose_order(study, "anna", "polyp", ReadingOrder.DOUBT)
    doubts_path(study, "polyp").write_text("{")
    assert ids(study) == seeded
    doubts_path(study, "polyp").unlink()
    assert ids(study) == seeded
