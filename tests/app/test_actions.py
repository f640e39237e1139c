import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QLabel

from app.action_table import ACTIONS, CONTEXTS
from app.actions import EVERYWHERE, Action, ActionRegistry
from domain.errors import UserFacingError


def test_that_the_keys_sightline_comes_with_have_no_conflict_inside_a_screen(qapp: object) -> None:
    assert ActionRegistry(ACTIONS).conflicts() == []


def test_that_every_action_belongs_to_a_named_place(qapp: object) -> None:
    assert {action.context for action in ACTIONS} <= set(CONTEXTS)


def test_that_a_taken_key_is_refused_and_named(qapp: object) -> None:
    registry = ActionRegistry([Action("a", "First", ("A",)), Action("b", "Second", ("B",), "worklist")])
    with pytest.raises(UserFacingError, match="First"):
        registry.set_keys("b", ("A",))
    assert registry.keys("b") == ("B",)


def test_that_changed_keys_reach_bound_actions_and_can_be_reset(window: object) -> None:
    registry = window.actions_registry  # type: ignore[attr-defined]
    registry.set_keys("help.keys", ("F2",))
    assert registry.own_keys() == {"help.keys": ["F2"]}
    bound = [a for a in window.actions() if a.objectName() == "help.keys"]  # type: ignore[attr-defined]
    assert [s.toString() for s in bound[0].shortcuts()] == ["F2"]
    registry.reset_keys()
    assert [s.toString() for s in bound[0].shortcuts()] == ["F1", "?"]


def test_that_the_overlay_lists_exactly_the_registry(window: object) -> None:
    window.show_keys()  # type: ignore[attr-defined]
    overlay = window._overlay  # type: ignore[attr-defined]
    assert sorted(overlay.shown_actions()) == sorted(action.action_id for action in ACTIONS)
    assert EVERYWHERE in CONTEXTS


def test_that_translations_translate_texts_that_exist(qapp: object) -> None:
    import json
    from pathlib import Path

    from app.list_texts import texts_of

    root = Path(__file__).resolve().parents[2]
    known = set(texts_of(root / "app"))
    assert len(known) > 200
    for path in (root / "resources" / "texts").glob("*.json"):
        assert set(json.loads(path.read_text("utf-8"))) <= known


def test_that_the_keys_of_the_page_in_front_stand_above_those_of_other_pages(window: object) -> None:
    from app.key_overlay import KeyOverlay

    overlay = KeyOverlay(window.actions_registry, window)  # type: ignore[attr-defined]
    window.resize(1366, 768)  # type: ignore[attr-defined]
    overlay.open_for("correct")
    QApplication.processEvents()
    context_of = {action.action_id: action.context for action in ACTIONS}
    tops: dict[str, list[int]] = {}
    for made in overlay.findChildren(QLabel):
        if made.objectName():
            tops.setdefault(context_of[made.objectName()], []).append(made.mapTo(overlay, QPoint(0, 0)).y())
    here = max(max(tops[name]) for name in ("correct", "view", "everywhere"))
    assert all(min(tops[name]) > here for name in tops if name not in ("correct", "view", "everywhere"))
    overlay.close()
