from __future__ import annotations

import time

import pytest

from domain.errors import Cancelled, UserFacingError
from domain.events import CancelToken
from training.own_process import answer_of


def test_that_the_answer_is_what_the_module_writes() -> None:
    question = {"a": [1, 2.5, "ä"]}
    assert answer_of("json.tool", question, refusal="no", timeout_s=60) == question


def test_that_a_module_that_fails_is_told_with_its_last_line() -> None:
    with pytest.raises(UserFacingError, match="It cannot be told") as caught:
        answer_of("no_such_module_of_ours", {}, refusal="It cannot be told.", timeout_s=60)
    assert "no_such_module_of_ours" in caught.value.hint


def test_that_a_question_can_be_stopped_and_does_not_wait_longer_than_told() -> None:
    token = CancelToken()
    token.cancel()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        answer_of("training.estimate", {}, refusal="no", timeout_s=60, cancel=token)
    with pytest.raises(UserFacingError, match="no") as caught:
        answer_of("training.estimate", {}, refusal="no", timeout_s=0.0)
    assert "no answer" in caught.value.hint
    assert time.monotonic() - began < 10
