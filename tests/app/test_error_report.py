"""The dialog of an unexpected error packs a report; that of a user's mistake does not offer it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import app.error_dialog
from domain.errors import UserFacingError


def test_that_an_unexpected_error_offers_a_report_and_says_where_it_is(
    qapp: object,
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Callable[..., None],
):
    place = tmp_path / "report.zip"
    monkeypatch.setattr(app.error_dialog, "write_diagnostics", lambda: place)
    dialog = app.error_dialog.ErrorDialog(RuntimeError("boom"))
    dialog.show()
    assert dialog.report_button is not None
    dialog.report_button.click()
    wait_until(lambda: str(place) in dialog._report_place.text())
    assert not dialog.report_button.isEnabled()
    dialog.close()


def test_that_a_mistake_of_the_user_offers_none(qapp: object):
    dialog = app.error_dialog.ErrorDialog(UserFacingError("No such study.", "Make one."))
    assert dialog.report_button is None
    dialog.close()
